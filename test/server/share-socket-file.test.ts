/** What `share` does with the file of its unix socket. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import { attached, sharedForTest, ShareProcess } from '../../harness/share-process.js';

const skipped = whyNotRoot();
const suffix = skipped === undefined ? '' : ` (${skipped})`;

describe.skipIf(skipped !== undefined)(`the socket of share${suffix}`, () => {
  it.each([[[]], [['--keep-listening']]])(
    'removes the file of its socket, and no other: %j',
    async (mode) => {
      const { share, path } = await sharedForTest(...mode);
      // moved out of the way of a file that somebody else makes at the same path
      const place = dirname(path);
      renameSync(place, `${place}.moved`);
      onTestFinished(() => {
        rmSync(`${place}.moved`, { recursive: true });
      });
      mkdirSync(place);
      writeFileSync(path, 'kept');
      share.child.kill('SIGTERM');
      expect(await share.end()).toMatchObject({ status: 0 });
      expect(readdirSync(`${place}.moved`)).toEqual([]);
      expect(readFileSync(path, 'utf8')).toBe('kept');
    },
  );

  it('leaves what has taken the place of its socket', async () => {
    const { share, path } = await sharedForTest();
    rmSync(path);
    writeFileSync(path, 'kept');
    share.child.kill('SIGTERM');
    expect(await share.end()).toMatchObject({ status: 0 });
    expect(readFileSync(path, 'utf8')).toBe('kept');
    expect(readdirSync(dirname(path))).toEqual(['socket']);
  });

  it('takes the place of the socket that one which was killed has left', async () => {
    const { share, path, directory } = await sharedForTest();
    share.child.kill('SIGKILL');
    await share.end();
    expect(readdirSync(dirname(path))).toEqual(['socket']);
    const next = await new ShareProcess([`--path=${directory}`, `--listen=unix:${path}`]).ready();
    (await attached(path)).close();
    expect(await next.end()).toMatchObject({ status: 0 });
  });
});
