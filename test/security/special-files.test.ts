/** Special files are never opened, and nothing that somebody else does to a file can make the helper wait. */
import { spawn } from 'node:child_process';
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { constants as os } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Random } from '../../harness/random.js';
import { sessionForTest } from '../../harness/helper-process.js';
import { mknod, xattrs } from '../../harness/libc.js';
import { requests } from '../../harness/requests.js';
import { sleepsOf } from '../../harness/sleeps.js';
import { exportForTest } from '../../harness/tree.js';
import type { Reply, WireClient } from '../../harness/wire-client.js';
import { programForTest } from './child-program.js';
import { OpenWatch } from '../../harness/kernel.js';
import { countFrom, skipUnlessRoot } from '../../harness/root-only.js';
import { patience } from '../../harness/patience.js';

const skip = skipUnlessRoot('special files');
const raceRequests = countFrom('VIRTFS_SPECIAL_FILE_REQUESTS', 20_000);
const { ENXIO, EAGAIN } = os.errno;
/** Far less than a blocked open, which is for ever, and far more than a busy machine needs. */
const AT_ONCE_MS = 5_000 * patience;
const O_PATH = 0o10000000;
const nobody = { uid: 65_534, gid: 65_534 };
const root = { uid: 0, gid: 0 };

const kinds = {
  fifo: [constants.S_IFIFO | 0o666, 0],
  socket: [constants.S_IFSOCK | 0o666, 0],
  // /dev/null, whose open succeeds and would be seen
  character: [constants.S_IFCHR | 0o666, 0x103],
  // /dev/loop0
  block: [constants.S_IFBLK | 0o666, 0x700],
} as const;
type Kind = keyof typeof kinds;
const kindNames = Object.keys(kinds) as Kind[];

const openFlags = [
  constants.O_RDONLY,
  constants.O_WRONLY,
  constants.O_RDWR,
  constants.O_RDWR | constants.O_TRUNC,
  constants.O_RDONLY | constants.O_NONBLOCK,
  constants.O_WRONLY | constants.O_NONBLOCK,
  constants.O_RDONLY | constants.O_NOFOLLOW,
];

function specialFiles(): { directory: string; pathOf: (kind: Kind) => string } {
  const directory = exportForTest();
  const pathOf = (kind: Kind): string => join(directory, kind);
  for (const kind of kindNames) mknod(Buffer.from(pathOf(kind)), kinds[kind][0], kinds[kind][1]);
  return { directory, pathOf };
}

function watchForTest(paths: readonly string[]): OpenWatch {
  const watch = new OpenWatch(paths);
  onTestFinished(() => {
    watch.close();
  });
  return watch;
}

/** Names are swapped all the time: the name of an O_PATH descriptor of the fifo stays. */
function descriptorOfFifo(paths: readonly string[]): string {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const fd = openSync(paths[attempt % paths.length]!, O_PATH);
    if (fstatSync(fd).isFIFO()) {
      onTestFinished(() => {
        closeSync(fd);
      });
      return `/proc/self/fd/${fd}`;
    }
    closeSync(fd);
  }
  throw new Error('no fifo at any of the names');
}

function closeReply({ descriptor }: Reply): void {
  if (descriptor !== undefined) closeSync(descriptor);
}

/** Every way to ask for an open descriptor of one path. */
function openings(path: string): Buffer[] {
  return openFlags.flatMap((flags) => [
    requests.open(path, flags),
    requests.create(path, flags, 0o644, root),
    requests.create(path, flags | constants.O_CREAT, 0o644, nobody),
  ]);
}

describe.skipIf(skip)('special files', { timeout: 120_000 }, () => {
  it.each(kindNames)('OPEN and CREATE of a %s are ENXIO at once, and it is not opened', (kind) => {
    const { directory, pathOf } = specialFiles();
    const watch = watchForTest([pathOf(kind)]);
    const { client } = sessionForTest(directory);
    client.request(requests.lstat('/'));
    const began = Date.now();
    for (const bytes of openings(`/${kind}`)) {
      const reply = client.request(bytes);
      closeReply(reply);
      expect(reply.errno, bytes.toString('hex')).toBe(ENXIO);
    }
    expect(Date.now() - began).toBeLessThan(AT_ONCE_MS);
    expect(watch.take()).toEqual([]);
  });

  it('the watch sees an opening when there is one', () => {
    const { pathOf } = specialFiles();
    const watch = watchForTest([pathOf('character'), pathOf('fifo')]);
    closeSync(openSync(pathOf('character'), constants.O_RDONLY));
    closeSync(openSync(pathOf('fifo'), constants.O_RDWR));
    expect(watch.take()).toEqual([`open of ${pathOf('character')}`, `open of ${pathOf('fifo')}`]);
  });

  it('a symlink to a special file makes no difference', () => {
    const { directory } = specialFiles();
    const { client } = sessionForTest(directory);
    for (const kind of kindNames) {
      client.request(requests.symlink(root, kind, `/to-${kind}`));
      expect(client.request(requests.open(`/to-${kind}`, constants.O_RDONLY)).errno, kind).toBe(ENXIO);
      expect(client.request(requests.open(`/to-${kind}`, constants.O_WRONLY)).errno, kind).toBe(ENXIO);
    }
  });

  it.each([
    ['writer', '>'],
    ['reader', '<'],
  ])('a %s that waits for the other end of a fifo goes on waiting', async (_, direction) => {
    const { directory, pathOf } = specialFiles();
    const waiting = spawn('sh', ['-c', `exec 3${direction}"$1"`, 'sh', pathOf('fifo')], { stdio: 'ignore' });
    onTestFinished(() => void waiting.kill('SIGKILL'));
    await expect
      .poll(() => readFileSync(`/proc/${waiting.pid ?? 0}/wchan`, 'utf8'), { timeout: 10_000 })
      .toMatch(/fifo|partner/);
    const { client } = sessionForTest(directory);
    for (const bytes of openings('/fifo')) closeReply(client.request(bytes));
    await pause(200);
    expect(waiting.exitCode).toBeNull();
    // and it was really the other end that it waited for
    closeSync(openSync(pathOf('fifo'), constants.O_RDWR | constants.O_NONBLOCK));
    await expect.poll(() => waiting.exitCode, { timeout: 10_000 }).toBe(0);
  });

  it(`is not opened in ${raceRequests} requests while its name is swapped with a regular file`, async () => {
    const directory = exportForTest();
    const attic = join(directory, 'attic');
    const counter = join(exportForTest(), 'swaps');
    mkdirSync(attic);
    const [file, fifo] = [join(directory, 'file'), join(directory, 'fifo')];
    await programForTest('swap', {
      exchange: [
        [
          { path: file, kind: 'file' },
          { path: fifo, kind: 'fifo' },
        ],
      ],
      move: [],
      attic,
      counter,
    });
    const watch = watchForTest([descriptorOfFifo([file, fifo])]);
    const { client } = sessionForTest(directory);
    const random = new Random(1);
    const choices = [...openings('/file'), ...openings('/fifo')];
    const errnos = new Map<number, number>();
    for (let sent = 0; sent < raceRequests; sent++) {
      const reply = client.request(random.pick(choices));
      errnos.set(reply.errno, (errnos.get(reply.errno) ?? 0) + 1);
      if (reply.descriptor === undefined) continue;
      const isFile = fstatSync(reply.descriptor).isFile();
      closeSync(reply.descriptor);
      expect(isFile, 'what was opened is a regular file').toBe(true);
    }
    console.log(
      `${raceRequests} requests, ${readFileSync(counter).readDoubleLE(0)} swaps, by errno: ${JSON.stringify([...errnos])}`,
    );
    expect([...errnos.keys()].sort((a, b) => a - b)).toEqual([0, ENXIO]);
    expect(Math.min(...errnos.values())).toBeGreaterThan(raceRequests / 50);
    expect(watch.take()).toEqual([]);
  });
});

function metadata(client: WireClient, directory: string, kind: Kind): void {
  const [mode, device] = kinds[kind];
  const host = join(directory, `new-${kind}`);
  const path = `/new-${kind}`;
  const ok = (what: string, bytes: Buffer): void => {
    expect(client.request(bytes).errno, `${what} of a ${kind}`).toBe(0);
  };
  const isDevice = device !== 0;
  // only root of the guest makes devices
  const owner = isDevice ? root : nobody;
  ok('mknod', requests.mknod(owner, path, mode, device));
  expect(lstatSync(host)).toMatchObject({
    ...owner,
    mode,
    rdev: device,
  });
  ok('chmod', requests.chmod(path, 0o4711));
  ok('chown', requests.chown(path, { uid: 12, gid: 34 }));
  ok('utime', requests.utime(path, [1n, 0n], [2n, 0n]));
  ok('lstat', requests.lstat(path));
  ok('statfs', requests.statfs(path));
  ok('getversion', requests.getversion(path));
  // user.* is for files and directories only, whoever asks: xattr(7)
  expect(client.request(requests.lsetxattr(path, 'user.a', 'b')).errno).toBe(os.errno.EPERM);
  ok('llistxattr', requests.llistxattr(0, path));
  expect(xattrs(Buffer.from(host))).toEqual([]);
  ok('link', requests.link(path, `${path}-link`));
  expect(lstatSync(host)).toMatchObject({ uid: 12, gid: 34, nlink: 2, mtimeMs: 2_000 });
  ok('rename', requests.rename(`${path}-link`, `${path}-renamed`));
  ok('remove', requests.remove(`${path}-renamed`));
  ok('remove', requests.remove(path));
  expect(lstatSync(host, { throwIfNoEntry: false })).toBeUndefined();
}

describe.skipIf(skip)('what is not opening them', { timeout: 60_000 }, () => {
  it('keeps working on fifos, sockets and devices', () => {
    const directory = exportForTest();
    const { client } = sessionForTest(directory);
    for (const kind of kindNames) metadata(client, directory, kind);
  });

  it('does not wait for a lease that another process holds', async () => {
    const directory = exportForTest();
    writeFileSync(join(directory, 'leased'), 'content');
    const holder = await programForTest('hold-lease', [join(directory, 'leased')]);
    const { client, helper } = sessionForTest(directory);
    client.request(requests.lstat('/'));
    const began = Date.now();
    const errnoOf = (bytes: Buffer): number => {
      const reply = client.request(bytes);
      closeReply(reply);
      return reply.errno;
    };
    expect(errnoOf(requests.truncate('/leased', 0)), 'truncate').toBe(EAGAIN);
    for (const bytes of openings('/leased')) expect(errnoOf(bytes), bytes.toString('hex')).toBe(EAGAIN);
    expect(errnoOf(requests.lstat('/leased'))).toBe(0);
    expect(errnoOf(requests.truncate('/leased', 0)), 'truncate again').toBe(EAGAIN);
    expect(Date.now() - began).toBeLessThan(AT_ONCE_MS);
    await expect.poll(() => holder.output, { timeout: 10_000 }).toContain('asked to give back');
    expect(readFileSync(`/proc/locks`, 'utf8')).toMatch(/LEASE/);
    // what kept it from waiting has ended
    const before = sleepsOf(helper.pid);
    await pause(1_000);
    expect(sleepsOf(helper.pid) - before).toBeLessThan(20);
  });
});
