/** `shareDirectory` with `listen`: what a program starts a helper and a 9P server with. */
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ListeningShare, ListenOptions, shareDirectory as share } from '../../src/library.mjs';
import { attached, socketPathForTest } from '../../harness/share-process.js';
import { whyNotRoot } from '../../harness/helper-process.js';
import { socketpair } from '../../harness/libc.js';
import { NinepClient } from '../../harness/ninep-client.js';
import { exportForTest } from '../../harness/tree.js';
import { isAlive, until } from '../../harness/run-process.js';

const skipped = whyNotRoot();
const suffix = skipped === undefined ? '' : ` (${skipped})`;

describe.skipIf(skipped !== undefined)(`shareDirectory with listen${suffix}`, async () => {
  const file = openSync('/dev/null', 'r');
  // as it is installed: it starts the programs beside it
  const place = '../../dist/library.mjs';
  const { shareDirectory, StartError } = (await import(place)) as {
    shareDirectory: typeof share;
    StartError: typeof Error;
  };

  async function shared(options: Omit<ListenOptions, 'path' | 'log'>): Promise<ListeningShare> {
    const listening = await shareDirectory({ path: exportForTest(), log: 'ignore', ...options });
    onTestFinished(async () => {
      await listening.stop();
    });
    return listening;
  }

  it('resolves when a guest can connect, and ends when that leaves', async () => {
    const path = socketPathForTest();
    const { ended, pid } = await shared({ listen: `unix:${path}` });
    const client = await attached(path);
    expect(isAlive(pid)).toBe(true);
    client.close();
    expect(await ended).toEqual({ status: 0, signal: null });
  });

  it('passes options on, serves guest after guest, and ends when it is told to', async () => {
    const path = socketPathForTest();
    const options = { listen: `unix:${path}`, readOnly: true, options: ['--keep-listening'] };
    const listening = await shared(options);
    for (let guest = 0; guest < 2; guest++) {
      const client = await attached(path);
      await client.request('Twalk', { fid: 0, newfid: 1, names: [] });
      const made = { fid: 1, name: Buffer.from('new'), flags: 0o102, mode: 0o644, gid: 0 };
      expect(await client.outcome('Tlcreate', made)).toBe('EROFS');
      client.close();
    }
    expect(await listening.stop()).toEqual({ status: 0, signal: null });
    expect(await listening.ended).toEqual(await listening.stop());
    expect(existsSync(path)).toBe(false);
  });

  it('takes a socket of this program', async () => {
    const [ours, theirs] = socketpair();
    const { ended } = await shared({ listen: `fd:${theirs}` });
    closeSync(theirs);
    const client = new NinepClient(new Socket({ fd: ours }));
    await client.version();
    client.close();
    expect((await ended).status).toBe(0);
  });

  it('tells how it ended, and logs where it is told to', async () => {
    const path = socketPathForTest();
    const log = join(exportForTest(), 'log');
    const descriptor = openSync(log, 'w');
    const directory = exportForTest();
    const { ended } = await shareDirectory({ path: directory, listen: `unix:${path}`, log: descriptor });
    closeSync(descriptor);
    const client = await NinepClient.connect({ path });
    client.write(Buffer.from('GET / HTTP/1.0\r\n\r\n'));
    expect(await ended).toEqual({ status: 3, signal: null });
    client.close();
    await until(() => readFileSync(log, 'utf8').includes('the client broke the protocol'), 'the log');
  });

  it.each([
    [
      'a wrong option',
      { listen: 'vsock:564', options: ['--msize=7'] },
      2,
      'usage',
      '--msize 7: must be a number',
    ],
    ['a wrong address', { listen: 'udp:1' }, 2, 'usage', '--listen udp:1: must be unix:PATH'],
    [
      'one that it decides itself',
      { listen: 'fd:0', options: ['--ready-fd=9'] },
      2,
      'usage',
      '--ready-fd is given twice',
    ],
    [
      'an export that is not there',
      { listen: 'tcp:127.0.0.1:20565', path: '/nowhere' },
      1,
      'export-not-found',
      'cannot export /nowhere',
    ],
    ['a descriptor that is not open', { listen: 'fd:98765' }, 1, 'program-not-started', 'EBADF'],
    [
      'a descriptor of no socket',
      { listen: `fd:${file}` },
      1,
      'socket-unsuitable',
      'must be a connected or listening stream socket',
    ],
  ] as [string, Partial<ListenOptions> & { listen: string }, number, string, string][])(
    'throws a StartError that says why it does not start: %s',
    async (_what, options, status, code, reason) => {
      const failed = await shareDirectory({ path: exportForTest(), log: 'ignore', ...options }).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failed).toBeInstanceOf(StartError);
      expect(failed).toMatchObject({ status, code });
      expect((failed as Error).message).toContain(reason);
    },
  );
});
