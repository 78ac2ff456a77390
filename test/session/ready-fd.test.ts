import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { helperForTest, whyNotRoot } from '../../harness/helper-process.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of --ready-fd skipped: ${skipped}`);

describe.skipIf(skipped !== undefined)('--ready-fd', () => {
  /** A helper that reports to a file, which the test can read when it likes. */
  function start(path: string): {
    report: string;
    client: WireClient;
    helper: ReturnType<typeof helperForTest>;
  } {
    const report = join(exportForTest(), 'report');
    const { client, peer } = WireClient.pair();
    const args = ['-n', '-p', path, '-f', '3', '--ready-fd', '4'];
    return { report, client, helper: helperForTest(args, { inherit: [peer, openSync(report, 'w')] }) };
  }

  it('is told when the client is served, and closed', async () => {
    const { report, client, helper } = start(exportForTest());
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    expect(readFileSync(report, 'utf8')).toBe('ready\n');
    client.close();
    expect((await helper.exit()).status).toBe(0);
  });

  it('is told in one line why the start failed, and stderr is not', async () => {
    const { report, helper } = start('/nonexistent');
    expect(await helper.exit()).toMatchObject({ status: 1, stderr: '' });
    expect(readFileSync(report, 'utf8')).toBe(
      'cannot export /nonexistent: no such file or directory (ENOENT) [export-not-found]\n',
    );
  });

  it('has to be a descriptor that was passed', async () => {
    const { client, peer } = WireClient.pair();
    const helper = helperForTest(['-n', '-p', '/', '-f', '3', '--ready-fd', '99'], { inherit: [peer] });
    expect(await helper.exit()).toMatchObject({
      status: 1,
      stderr: 'virtfs-proxy-helper: --ready-fd 99: bad file descriptor (EBADF) [ready-fd-unsuitable]\n',
    });
    closeSync(client.fd);
  });
});
