/** A client that has session after session of a listener does not have the lines of as many sessions in the log. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { helperForTest, whyNotRoot } from '../../harness/helper-process.js';
import { frame, requests, requestTypes } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';

const skipped = whyNotRoot();
const SESSIONS = 14;
/** What has all its lines in the log, sessions as well as refusals of one kind, in a minute. */
const LINES = 10;

describe.skipIf(skipped !== undefined)('session after session', { timeout: 120_000 }, () => {
  it('leaves no more in the log than ten sessions do, and the errors', async () => {
    const path = join(exportForTest(), 'socket');
    const helper = helperForTest(['-n', '-p', exportForTest(), '-s', path, '--keep-listening']);
    await expect.poll(() => existsSync(path), { timeout: 10_000 }).toBe(true);
    const malformed = frame(requestTypes.LSTAT, Buffer.of(255, 255));
    for (let session = 0; session < SESSIONS; session++) {
      const client = WireClient.connect(path, 30);
      expect(client.request(requests.lstat('/')).errno).toBe(0);
      for (let request = 0; request < 2 * LINES; request++) expect(client.request(malformed).errno).toBe(105);
      client.send(frame(99));
      expect(client.atEnd()).toBe(true);
      client.close();
    }
    const lines = (text: string): number => helper.stderr().split(text).length - 1;
    await expect.poll(() => lines('many clients: errors only'), { timeout: 10_000 }).toBe(SESSIONS - LINES);
    expect(lines('refused a malformed request')).toBe(LINES * LINES);
    expect(lines('info: serving a client')).toBe(LINES);
    expect(lines('error: protocol violation')).toBe(SESSIONS);
    expect(lines('the session of a client failed')).toBe(LINES);
  });
});
