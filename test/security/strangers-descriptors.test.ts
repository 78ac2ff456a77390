/** What a client can do with the descriptors that it has, where the helper takes requests about them: nothing, but to its own. */
import { spawnSync } from 'node:child_process';
import { closeSync, constants, fstatSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import {
  about,
  closeLater,
  make,
  OPTION,
  owner,
  serve,
  type Served,
  TIME,
} from '../../harness/descriptor-requests.js';
import { sessionForTest } from '../../harness/helper-process.js';
import { errnoName, socketpair } from '../../harness/libc.js';
import { PATIENCE, serve as serveHost, until } from '../../harness/mounting-host.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import type { WireClient } from '../../harness/wire-client.js';
import { openDescriptors } from '../../harness/process-usage.js';
import { skipUnlessRoot } from '../../harness/root-only.js';

const skip = skipUnlessRoot("descriptors that are not the export's");
const { O_RDONLY, O_RDWR, O_NONBLOCK, O_DIRECTORY } = constants;
const O_PATH = 0o10000000;

const ENOENT = 2;

function openIn(client: WireClient, path: string, closes = true): number {
  const { descriptor, errno } = client.request(requests.open(path, O_RDWR));
  expect([path, errnoName(errno)]).toEqual([path, 'success']);
  return closes ? closeLater(descriptor!) : descriptor!;
}

/** The number of the mount that an open file is on, which the kernel gives to another one later. */
const mountNumber = (descriptor: number): string =>
  /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'))?.[1] ?? '';

/** Descriptors that are none of the export's. */
const strangers: Readonly<Record<string, (served: Served) => number>> = {
  'a file of the host': () => {
    const path = join(exportForTest(), 'outside');
    writeFileSync(path, 'outside', { mode: 0o640 });
    return openSync(path, 'r+');
  },
  'the file of the export, opened on the host': (served) => {
    make(served, '/file');
    return openSync(join(served.directory, 'file'), 'r+');
  },
  'a directory of the host': () => openSync(exportForTest(), 'r'),
  'the export, opened on the host': ({ directory }) => openSync(directory, 'r'),
  'another file system': () => openSync('/proc/self/status', 'r'),
  'a socket': () => {
    const [one, other] = socketpair();
    closeLater(one);
    return other;
  },
  'a FIFO of the export': ({ directory, client }) => {
    spawnSync('mkfifo', [join(directory, 'fifo')]);
    const top = client.request(requests.open('/', O_DIRECTORY)).descriptor!;
    const fifo = openSync(`/proc/self/fd/${top}/fifo`, O_RDWR | O_NONBLOCK);
    closeSync(top);
    return fifo;
  },
  'an O_PATH descriptor of the export': (served) => {
    const { client } = served;
    make(served, '/file');
    const top = client.request(requests.open('/', O_DIRECTORY)).descriptor!;
    const file = openSync(`/proc/self/fd/${top}/file`, O_PATH);
    closeSync(top);
    return file;
  },
};

describe.skipIf(skip)('a descriptor that is not of the export', { timeout: 60_000 }, () => {
  it.each(Object.entries(strangers))('is EBADF, and nothing happens to it: %s', async (_what, open) => {
    const served = serve();
    const stranger = closeLater(open(served));
    const before = fstatSync(stranger, { bigint: true });
    const base = openDescriptors(served.helper.pid);
    for (const request of [
      requests.lstat(''),
      requests.chmod('', 0o7777),
      requests.chown('', owner),
      requests.truncate('', 0),
      requests.utime('', TIME, TIME),
      requests.lgetxattr(100, '', 'user.a'),
      requests.llistxattr(100, ''),
      requests.lsetxattr('', 'user.a', 'value'),
      requests.lremovexattr('', 'user.a'),
      requests.getversion(''),
      requests.open('', O_RDONLY),
    ])
      expect(served.error(request, stranger)).toBe('EBADF');
    expect(fstatSync(stranger, { bigint: true })).toEqual(before);
    expect(errnoName(served.client.request(requests.lstat('/')).errno)).toBe('success');
    await expect.poll(() => openDescriptors(served.helper.pid) <= base + 4).toBe(true);
  });

  it('is EBADF: a file of the same file system, mounted elsewhere or for another helper', async () => {
    const mount = 'mount -t tmpfs disk disk; echo content >disk/file; chmod 640 disk/file';
    const { client, host, directory } = await serveHost([OPTION], mount);
    host.run(`cd ${directory}; mount --bind disk other`);
    await until(client, '/other/file', 0);
    const { client: neighbour } = sessionForTest(directory, { wrapper: host.enter });
    const strangers = [
      openSync(`/proc/${host.pid}/root${directory}/disk/file`, 'r+'),
      openSync(`/proc/${host.pid}/root${directory}/other/file`, 'r+'),
      openSync(`/proc/${host.pid}/root${directory}/disk`, 'r'),
      openIn(neighbour, '/disk/file', false),
    ];
    for (const stranger of strangers) {
      closeLater(stranger);
      expect(errnoName(about(client, requests.chmod('', 0o7777), [stranger]).errno)).toBe('EBADF');
      expect(errnoName(about(client, requests.open('', O_RDWR), [stranger]).errno)).toBe('EBADF');
    }
    for (const path of ['/disk/file', '/other/file'])
      expect(errnoName(about(client, requests.chmod('', 0o600), [openIn(client, path)]).errno)).toBe(
        'success',
      );
  });

  it('is EBADF: a file of a procfs in the export, which is not opened by its path either', async () => {
    const { client, host, directory } = await serveHost([OPTION], 'mount -t proc proc disk');
    const top = closeLater(client.request(requests.open('/', O_DIRECTORY)).descriptor!);
    // root of this client's could open it by itself
    const file = closeLater(openSync(`/proc/self/fd/${top}/disk/self/comm`, 'r'));
    for (const request of [requests.lstat(''), requests.open('', O_RDWR), requests.truncate('', 0)])
      expect(errnoName(about(client, request, [file]).errno)).toBe('EBADF');
    host.run(`cd ${directory}; mount -t tmpfs later other; touch other/file`);
    await until(client, '/other/file', 0);
    expect(errnoName(about(client, requests.lstat(''), [openIn(client, '/other/file')]).errno)).toBe(
      'success',
    );
  });

  it('is EBADF: a file of a mount that has the number of one that is in the export no more', async () => {
    const { client, host, directory } = await serveHost([OPTION]);
    host.run(`mount -t tmpfs disk ${directory}/disk; touch ${directory}/disk/file`);
    await until(client, '/disk/file', 0);
    const file = openIn(client, '/disk/file', false);
    const number = mountNumber(file);
    expect(errnoName(about(client, requests.lstat(''), [file]).errno)).toBe('success');
    host.run(`umount --lazy ${directory}/disk`);
    await until(client, '/disk/file', ENOENT);
    // nobody else has the number for as long as it is open
    expect(errnoName(about(client, requests.lstat(''), [file]).errno)).toBe('EBADF');
    closeSync(file);
    const elsewhere = exportForTest();
    const stranger = await vi.waitFor(() => {
      const place = mkdtempSync(join(elsewhere, 'm'));
      host.run(`mount -t tmpfs stranger ${place}; echo stranger >${place}/file`);
      const opened = closeLater(openSync(`/proc/${host.pid}/root${place}/file`, 'r+'));
      expect(mountNumber(opened)).toBe(number);
      return opened;
    }, PATIENCE);
    for (const request of [requests.lstat(''), requests.open('', O_RDWR), requests.truncate('', 0)])
      expect(errnoName(about(client, request, [stranger]).errno)).toBe('EBADF');
    expect(fstatSync(stranger).size).toBe(9);
  });
});
