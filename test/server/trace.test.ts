/** --log-level trace of `share`: what a guest asks and is answered, one line each. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import type { Dialect } from '../../harness/ninep-messages.js';
import { attached, sharedForTest, type ShareProcess } from '../../harness/share-process.js';
import { NinepClient } from '../../harness/ninep-client.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`the trace of a 9P server skipped: ${skipped}`);

/** The lines of the server, with what differs from run to run left out. */
function lines({ stderr }: ShareProcess): string[] {
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('trace: ') && line.endsWith(' (part=9p)'))
    .map((line) =>
      line
        .slice('trace: '.length, -' (part=9p)'.length)
        .replace(/\(tag=\d+/, '(tag=N')
        .replace(/ <\d+\.\d{6}>$/, ' <T>'),
    );
}

describe.skipIf(skipped !== undefined)('the trace of a share', () => {
  it('shows every message with its result and time', async () => {
    const { share, path, directory } = await sharedForTest('--log-level=trace');
    writeFileSync(join(directory, 'file'), 'content');
    mkdirSync(join(directory, 'a'));
    const client = await attached(path);
    await client.request('Twalk', { fid: 0, newfid: 1, names: ['file'] });
    await client.request('Tlopen', { fid: 1, flags: 0 });
    await client.request('Tread', { fid: 1, offset: 0n, count: 100 });
    await client.outcome('Twrite', { fid: 1, offset: 0n, data: Buffer.from('more') });
    await client.outcome('Twalk', { fid: 0, newfid: 2, names: ['missing\n'] });
    await client.request('Twalk', { fid: 0, newfid: 2, names: ['a', '..'] });
    await client.flush(4711);
    await client.outcome('Tmkdir', { dfid: 0, name: 'a/b', mode: 0o755, gid: 0 });
    await share.said('Tmkdir');
    expect(lines(share)).toEqual([
      'Tversion(tag=NOTAG, msize=65536, version="9P2000.L") = 0 <T>',
      'Tattach(tag=N, fid=0, afid=NOFID, uname="", aname="", n_uname=0) = 0 <T>',
      'Twalk(tag=N, fid=0, newfid=1, names=["file"]) = 1 <T>',
      'Tlopen(tag=N, fid=1, flags=O_RDONLY) = 0 <T>',
      'Tread(tag=N, fid=1, offset=0, count=100) = 7 <T>',
      'Twrite(tag=N, fid=1, offset=0, data="more", count=4) = -1 EBADF (bad file descriptor) <T>',
      'Twalk(tag=N, fid=0, newfid=2, names=["missing\\n"]) = -1 ENOENT (no such file or directory) <T>',
      'Twalk(tag=N, fid=0, newfid=2, names=["a", ".."]) = 2 <T>',
      'Tflush(tag=N, oldtag=4711) = 0 <T>',
      'Tmkdir(tag=N, refused) = -1 EINVAL (invalid argument) <T>',
    ]);
    expect(share.stderr).toMatch(/^trace: Tread\(tag=\d+, fid=1, .*\) = 7 <0\.\d{6}> \(part=9p\)$/m);
  });

  it.each<Dialect>(['9P2000.u', '9P2000'])('shows %s, too, and what nobody waits for', async (dialect) => {
    const { share, path, directory } = await sharedForTest('--log-level=trace');
    writeFileSync(join(directory, 'file'), 'content');
    const client = await NinepClient.connect({ path });
    await client.version(dialect, 8192);
    await client.attach(0);
    await client.request('Twalk', { fid: 0, newfid: 1, names: ['file'] });
    await client.request('Topen', { fid: 1, mode: 0 });
    await client.outcome('Tstat', { fid: 3 });
    // in one piece, so that all that follows the first waits for it
    const first = client.send('Twalk', { fid: 0, newfid: 2, names: ['file'] });
    const second = client.send('Tstat', { fid: 1 });
    const flushed = client.flush(second.tag);
    await Promise.all([first.reply, flushed]);
    await share.said('Tflush');
    expect(lines(share)).toEqual(
      expect.arrayContaining([
        `Tversion(tag=NOTAG, msize=8192, version="${dialect}") = 0 <T>`,
        'Topen(tag=N, fid=1, mode=OREAD) = 0 <T>',
        'Tstat(tag=N, fid=3) = -1 EBADF (bad file descriptor) <T>',
        expect.stringMatching(/^Tstat\(tag=N, fid=1\) = (\?|0 <T>)$/) as unknown,
        expect.stringMatching(/^Tflush\(tag=N, oldtag=\d+\) = 0 <T>$/) as unknown,
      ]),
    );
    client.close();
  });

  it('is not written on any other level', async () => {
    const { share, path } = await sharedForTest('--log-level=debug');
    await (await attached(path)).request('Tgetattr', { fid: 0, mask: 0x7ffn });
    expect(share.stderr).not.toContain('Tgetattr');
  });
});
