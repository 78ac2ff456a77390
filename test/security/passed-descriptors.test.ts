/** What becomes of descriptors that a client passes, whatever it passes, when, and how many. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sessionForTest, type Session, whyNotRoot } from '../../harness/helper-process.js';
import { inject, whyNoInjection } from '../../harness/injection.js';
import { errnoName } from '../../harness/libc.js';
import { patience } from '../../harness/patience.js';
import { frame, requests, requestTypes } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { sendDescriptors } from '../../harness/kernel.js';
import { PipelinedReplies } from '../../harness/pipelined-replies.js';
import { openDescriptors, pause } from '../../harness/process-usage.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`descriptors that a client passes: skipped: ${skipped}`);

const OPTION = '--descriptor-requests';
const { O_RDWR, O_CREAT } = constants;
const hostile = fileURLToPath(new URL('../../harness/descriptor-sender.py', import.meta.url));

interface Sent {
  readonly answers: readonly string[];
  readonly slowest: number;
}

interface Served extends Session {
  readonly directory: string;
  readonly mode: (name: string) => number;
  /** Sends bytes with descriptors on the first. */
  readonly pass: (bytes: Buffer, ...descriptors: readonly number[]) => void;
  /** The errno of the next reply. */
  readonly next: (type?: number) => string;
  /** What so many requests are answered with. */
  readonly together: (...types: readonly number[]) => string[];
  /** Files of the export that are open. */
  readonly files: readonly [number, number];
  /** How many descriptors the helper has. */
  readonly base: number;
}

function serve(
  args: readonly string[] = [OPTION],
  options: Parameters<typeof sessionForTest>[1] = {},
): Served {
  const directory = exportForTest();
  const session = sessionForTest(directory, { ...options, args });
  const { client, helper } = session;
  const [one = -1, two = -1] = ['/one', '/two'].map((path) => {
    const { errno, descriptor } = client.request(
      requests.create(path, O_RDWR | O_CREAT, 0o600, { uid: 0, gid: 0 }),
    );
    expect(errnoName(errno), helper.stderr()).toBe('success');
    return descriptor;
  });
  onTestFinished(() => {
    for (const file of [one, two]) closeSync(file);
  });
  return {
    ...session,
    directory,
    files: [one, two],
    base: openDescriptors(helper.pid),
    mode: (name) => statSync(join(directory, name)).mode & 0o7777,
    pass: (bytes, ...descriptors) => {
      sendDescriptors(client.fd, bytes, descriptors);
    },
    together: (...types) => {
      const replies = new PipelinedReplies(client.fd);
      return types.map((type) => errnoName(replies.receive(type).errno));
    },
    next: (type = requestTypes.CHMOD) => errnoName(client.receive(type).errno),
  };
}

const chmod = (mode: number): Buffer => requests.chmod('', mode);

/** Nothing that was passed stays open. */
async function allClosed({ helper, base }: Served): Promise<void> {
  await expect.poll(() => openDescriptors(helper.pid)).toBeLessThanOrEqual(base);
}

describe.skipIf(skipped !== undefined)('a descriptor belongs', { timeout: 60_000 }, () => {
  it('to the request that it came with, of those that are sent one after another', async () => {
    const served = serve();
    const { pass, together, mode, client, files } = served;
    const [one, two] = files;
    client.send(requests.chmod('/one', 0o611));
    pass(chmod(0o711), one);
    pass(chmod(0o722), two);
    client.send(requests.lstat('/one'));
    pass(chmod(0o733), one);
    client.send(chmod(0o777));
    const { CHMOD, LSTAT } = requestTypes;
    expect(together(CHMOD, CHMOD, CHMOD, LSTAT, CHMOD, CHMOD)).toEqual([
      ...Array<string>(5).fill('success'),
      'ENOENT',
    ]);
    expect([mode('one'), mode('two')]).toEqual([0o733, 0o722]);
    await allClosed(served);
  });

  it('to the request when the helper has slept, and when the rest comes late', async () => {
    const served = serve();
    const { pass, next, together, mode, client, files } = served;
    const [one, two] = files;
    for (const at of [1, 7, 8, 9, 12]) {
      const bytes = chmod(0o700 + at);
      await pause(50);
      pass(bytes.subarray(0, at), one);
      await pause(50);
      client.send(bytes.subarray(at));
      expect(next()).toBe('success');
      expect(mode('one')).toBe(0o700 + at);
    }
    // what comes behind the first byte is not the request's, but that of the next one
    const bytes = chmod(0o711);
    client.send(bytes.subarray(0, 5));
    await pause(50);
    pass(bytes.subarray(5), one);
    expect(next()).toBe('ENOENT');
    client.send(bytes.subarray(0, 5));
    await pause(50);
    pass(Buffer.concat([bytes.subarray(5), chmod(0o722)]), two);
    expect(together(requestTypes.CHMOD, requestTypes.CHMOD)).toEqual(['ENOENT', 'success']);
    expect([mode('one'), mode('two')]).toEqual([0o714, 0o722]);
    await allClosed(served);
  });

  it('to all requests of the message', async () => {
    const served = serve();
    served.pass(Buffer.concat([chmod(0o711), requests.lstat(''), chmod(0o722)]), served.files[0]);
    const { CHMOD, LSTAT } = requestTypes;
    expect(served.together(CHMOD, LSTAT, CHMOD)).toEqual(Array(3).fill('success'));
    expect(served.mode('one')).toBe(0o722);
    await allClosed(served);
  });

  it('to nothing, and is closed, where a request has a path, or is not about one inode', async () => {
    const served = serve();
    const { pass, next, together, mode, files, client } = served;
    for (let again = 0; again < 20; again++) pass(requests.chmod('/one', 0o711), files[1]);
    const twenty = Array<number>(20).fill(requestTypes.CHMOD);
    expect(new Set(together(...twenty))).toEqual(new Set(['success']));
    expect([mode('one'), mode('two')]).toEqual([0o711, 0o600]);
    for (const [type, request] of [
      [requestTypes.REMOVE, requests.remove('')],
      [requestTypes.MKDIR, requests.mkdir({ uid: 0, gid: 0 }, '', 0o755)],
      [requestTypes.LINK, requests.link('', '/three')],
      [requestTypes.RENAME, requests.rename('', '/three')],
      [requestTypes.STATFS, requests.statfs('')],
      [requestTypes.CREATE, requests.create('', O_RDWR | O_CREAT, 0o600, { uid: 0, gid: 0 })],
    ] as const) {
      pass(request, files[1]);
      expect([type, next(type)]).toEqual([type, 'ENOENT']);
    }
    expect(errnoName(client.request(requests.lstat('/two')).errno)).toBe('success');
    await allClosed(served);
  });

  it('to none, when there are several in a message', async () => {
    const served = serve();
    for (const count of [2, 3, 253]) {
      served.pass(chmod(0o777), ...Array<number>(count).fill(served.files[0]));
      expect(served.next()).toBe('EBADF');
    }
    expect(served.mode('one')).toBe(0o600);
    await allClosed(served);
  });

  it('to none, when the kernel could not pass on all of them', async () => {
    const served = serve();
    const { helper, files } = served;
    const limit = served.base + 10;
    execFileSync('prlimit', [`--pid=${helper.pid}`, `--nofile=${limit}:`]);
    served.pass(chmod(0o777), ...Array<number>(100).fill(files[0]));
    expect(served.next()).toBe('EBADF');
    expect(served.mode('one')).toBe(0o600);
    await allClosed(served);
    served.pass(chmod(0o711), files[0]);
    expect(served.next()).toBe('success');
  });
});

describe.skipIf(skipped !== undefined)('a client that passes descriptors', { timeout: 60_000 }, () => {
  it('for a request that never ends makes the helper hold one', async () => {
    const served = serve();
    const { pass, files, helper, base, client } = served;
    const endless = frame(requestTypes.CHMOD, Buffer.alloc(4_000));
    for (let at = 0; at < 500; at++) {
      pass(endless.subarray(at, at + 1), files[0]);
      if (at % 50 === 0) await pause(10);
    }
    await pause(100);
    expect(openDescriptors(helper.pid)).toBeLessThanOrEqual(base + 1);
    client.close();
    expect((await helper.exit()).status).toBe(3);
  });

  it('and ends is a client that has left', async () => {
    const { pass, files, helper, client } = serve();
    pass(requests.lstat(''), files[0]);
    expect(client.receive(requestTypes.LSTAT).errno).toBe(0);
    client.close();
    expect(await helper.exit()).toMatchObject({ status: 0 });
    expect(helper.stderr()).toContain('the client has left');
  });

  it('is not asked for them without the option', async () => {
    const served = serve([]);
    const { pass, next, files, mode } = served;
    pass(chmod(0o777), files[0]);
    expect(next()).toBe('ENOENT');
    await pause(100);
    pass(chmod(0o777), files[0]);
    expect(next()).toBe('ENOENT');
    expect(mode('one')).toBe(0o600);
    await allClosed(served);
  });

  it.skipIf(whyNoInjection() !== undefined)('pays nothing for requests without them', async () => {
    const { client, helper } = serve();
    const stop = await inject(helper.pid, 'epoll_pwait,epoll_wait:delay_exit=1');
    for (let again = 0; again < 500; again++) client.request(requests.lstat('/one'));
    // a turn of the event loop costs more than a request
    expect((await stop()).length).toBeLessThan(100);
  });

  it('is told where the export has no mount of its own', async () => {
    const wrapper = ['setpriv', '--bounding-set=-sys_admin'];
    const served = serve([OPTION], { wrapper });
    served.pass(chmod(0o777), served.files[0]);
    expect(served.next()).toBe('EOPNOTSUPP');
    expect(served.mode('one')).toBe(0o600);
    expect(served.helper.stderr()).toContain('no mount of its own: requests about descriptors are refused');
    await allClosed(served);
  });

  it('needs a helper that may open enough', async () => {
    const { helper } = sessionForTest(exportForTest(), { args: [OPTION, '--rlimit-nofile', '1000'] });
    expect((await helper.exit()).status).toBe(1);
    expect(helper.stderr()).toContain('--descriptor-requests needs a limit of at least 1024 open files');
  });

  /** Sends requests about what takes long to close. @returns what was answered, and the slowest reply in milliseconds */
  async function send({ client }: Session, what: string, count: number): Promise<Sent> {
    // the client's end as its standard input
    const child = spawn('unshare', ['--mount', 'python3', hostile, what, String(count)], {
      stdio: [client.fd, 'pipe', 'inherit'],
    });
    // before the helper, which would wait for a FUSE server when it ends
    onTestFinished(() => void child.kill('SIGKILL'));
    const [line] = (await once(child.stdout!, 'data')) as [Buffer];
    const { replies, slowest } = JSON.parse(line.toString()) as {
      replies: (number | string)[];
      slowest: number;
    };
    const answers = replies.map((reply) => (typeof reply === 'number' ? errnoName(reply) : reply));
    return { answers: [...new Set(answers)], slowest };
  }

  it.each([
    ['a TCP socket that lingers', 'linger'],
    ['a file of a FUSE file system that is never flushed', 'fuse'],
  ])('does not make it wait with %s', async (_what, what) => {
    const served = serve();
    const { answers, slowest } = await send(served, what, 12);
    expect(answers).toEqual(['EBADF']);
    expect(slowest).toBeLessThan(1_000 * patience);
    served.pass(chmod(0o711), served.files[0]);
    expect(served.next()).toBe('success');
  });

  it('that cannot be closed is ended when they are too many', async () => {
    const served = serve();
    const { answers } = await send(served, 'linger', 700);
    expect(answers).toEqual(['EBADF', 'the end']);
    expect(await served.helper.exit()).toMatchObject({ status: 1 });
    expect(served.helper.stderr()).toContain('the connection failed (error=EMFILE)');
  });
});
