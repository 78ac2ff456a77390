import {
  closeSync,
  constants as fsConstants,
  fstatSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  type Stats,
  readFileSync,
  readlinkSync,
  readSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import { bytes, openDescriptors, path, started, text } from './started-client.js';

const { EEXIST, EINVAL, ENAMETOOLONG, ENODATA, ENOENT, ENOTEMPTY, ERANGE } = constants.errno;
const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR, S_IFIFO } = fsConstants;

describe.skipIf(whyNotRoot() !== undefined)('the client of a helper', () => {
  it('makes, changes and removes objects', async () => {
    const { client, directory } = started();
    const owner = { uid: 1000, gid: 1001 };
    const on = (name: string): Stats => lstatSync(join(directory, name));

    expect(await client.request('mkdir', { ...owner, ...path('d'), mode: 0o750 })).toBe(0);
    expect(
      await client.request('mknod', { ...owner, ...path('d/fifo'), mode: S_IFIFO | 0o600, device: 0 }),
    ).toBe(0);
    expect(await client.request('symlink', { ...owner, target: bytes('to/there'), ...path('d/link') })).toBe(
      0,
    );
    expect(await client.request('link', { existing: bytes('/file'), ...path('d/hard') })).toBe(0);
    expect(on('d')).toMatchObject({ uid: 1000, gid: 1001 });
    expect(on('d').mode & 0o7777).toBe(0o750);
    expect(on('d/fifo').isFIFO()).toBe(true);
    expect(readlinkSync(join(directory, 'd/link'))).toBe('to/there');
    expect(on('d/hard').ino).toBe(on('file').ino);

    expect(await client.request('chmod', { ...path('file'), mode: 0o604 })).toBe(0);
    expect(await client.request('chown', { ...path('file'), uid: 5, gid: 6 })).toBe(0);
    expect(await client.request('truncate', { ...path('file'), length: 5_000_000_000 })).toBe(0);
    const times = {
      atimeSeconds: -5,
      atimeNanoseconds: 7,
      mtimeSeconds: 6_000_000_000n,
      mtimeNanoseconds: 8,
    };
    expect(await client.request('utime', { ...path('file'), ...times })).toBe(0);
    expect(on('file')).toMatchObject({ uid: 5, gid: 6, size: 5_000_000_000, mtimeMs: 6_000_000_000_000 });
    expect(on('file').mode & 0o7777).toBe(0o604);

    expect(await client.request('rename', { existing: bytes('/d/hard'), ...path('moved') })).toBe(0);
    expect(await client.request('remove', path('d'))).toBe(-ENOTEMPTY);
    expect(await client.request('remove', path('d/fifo'))).toBe(0);
    expect(await client.request('remove', path('d/link'))).toBe(0);
    expect(await client.request('remove', path('d'))).toBe(0);
    expect(readdirSync(directory).sort()).toEqual(['file', 'moved']);
  });

  it('reads what there is to know of a file', async () => {
    const { client, directory } = started();
    const { lstat, statfs } = {
      lstat: lstatSync(join(directory, 'file'), { bigint: true }),
      statfs: statfsSync(directory),
    };
    const attributes = await client.request('lstat', path('file'));
    expect(attributes).toEqual({
      device: Number(lstat.dev),
      inode: Number(lstat.ino),
      links: 1,
      mode: Number(lstat.mode),
      uid: 0,
      gid: 0,
      rdev: 0,
      size: 7,
      blockSize: 4096,
      blocks: Number(lstat.blocks),
      atime: { seconds: Number(lstat.atimeNs / 10n ** 9n), nanoseconds: Number(lstat.atimeNs % 10n ** 9n) },
      mtime: { seconds: Number(lstat.mtimeNs / 10n ** 9n), nanoseconds: Number(lstat.mtimeNs % 10n ** 9n) },
      ctime: { seconds: Number(lstat.ctimeNs / 10n ** 9n), nanoseconds: Number(lstat.ctimeNs % 10n ** 9n) },
    });
    expect(await client.request('statfs', path(''))).toMatchObject({
      type: statfs.type,
      blockSize: statfs.bsize,
      blocks: statfs.blocks,
      files: statfs.files,
      nameLength: 255,
    });
    expect(typeof (await client.request('getversion', path('file')))).toBe('bigint');
  });

  it('reads links and attributes', async () => {
    const { client } = started();
    const target = 'x'.repeat(4000);
    await client.request('symlink', { uid: 0, gid: 0, target: bytes(target), ...path('link') });
    expect(text(await client.request('readlink', { ...path('link'), size: 4096 }))).toBe(target);
    expect(await client.request('readlink', { ...path('link'), size: 4000 })).toBe(-ENAMETOOLONG);
    expect(await client.request('readlink', { ...path('file'), size: 4096 })).toBe(-EINVAL);

    const name = bytes('user.some');
    const value = Buffer.alloc(60_000, 7);
    const set = { ...path('file'), name: bytes('user.some'), value: bytes('short'), size: 5, flags: 0 };
    expect(await client.request('lsetxattr', set)).toBe(0);
    expect(text(await client.request('lgetxattr', { ...path('file'), name, size: 100 }))).toBe('short');
    expect(await client.request('lgetxattr', { ...path('file'), name, size: 0 })).toBe(5);
    expect(await client.request('lgetxattr', { ...path('file'), name, size: 4 })).toBe(-ERANGE);
    expect(text(await client.request('llistxattr', { ...path('file'), size: 100 }))).toBe('user.some\0');
    expect(await client.request('llistxattr', { ...path('file'), size: 0 })).toBe(10);
    // a value of this size is not for every file system
    const large = await client.request('lsetxattr', { ...set, value, size: value.length });
    if (large === 0) {
      const read = client.request('lgetxattr', { ...path('file'), name, size: 65_536 });
      expect(Buffer.from((await read) as Uint8Array).equals(value)).toBe(true);
    }
    expect(await client.request('lremovexattr', { ...path('file'), name })).toBe(0);
    expect(await client.request('lgetxattr', { ...path('file'), name, size: 100 })).toBe(-ENODATA);
  });

  it('opens files, whose descriptors are not for programs that this process starts', async () => {
    const { client, directory } = started();
    const opened = await client.request('open', { ...path('file'), flags: O_RDONLY });
    const into = Buffer.alloc(20);
    expect(readSync(opened, into)).toBe(7);
    expect(into.toString('utf8', 0, 7)).toBe('content');
    expect(readFileSync(`/proc/self/fdinfo/${opened}`, 'utf8')).toMatch(/^flags:\s+02/m);
    closeSync(opened);

    const created = { ...path('new'), flags: O_CREAT | O_EXCL | O_RDWR, mode: 0o640, uid: 7, gid: 8 };
    const made = await client.request('create', created);
    writeSync(made, 'written');
    closeSync(made);
    expect(readFileSync(join(directory, 'new'), 'utf8')).toBe('written');
    expect(lstatSync(join(directory, 'new'))).toMatchObject({ uid: 7, gid: 8 });
    expect(await client.request('create', created)).toBe(-EEXIST);
    expect(await client.request('open', { ...path('missing'), flags: O_RDONLY })).toBe(-ENOENT);
  });

  it('answers what no request can carry without asking', async () => {
    const { client } = started();
    expect(await client.request('lstat', { path: new Uint8Array(70_000) })).toBe(-ENAMETOOLONG);
    expect(client.counts.trips).toBe(0);
  });

  it('reads the fields at once', async () => {
    const { client } = started();
    const reused = Buffer.from('/file');
    const first = client.request('lstat', { path: reused });
    reused.fill(0x78);
    expect(await first).toMatchObject({ size: 7 });
  });

  it('makes one trip for what is asked in one turn', async () => {
    const { client } = started();
    await client.request('lstat', path('file'));
    expect(client.counts.trips).toBe(1);
    await Promise.all([1, 2, 3].map(() => client.request('lstat', path('file'))));
    expect(client.counts.trips).toBe(2);
    // also what promises ask for that go on in this turn, one after another
    const later = async (turns: number): Promise<unknown> => {
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      return client.request('lstat', path('file'));
    };
    await Promise.all([0, 1, 2, 5, 20].map(later));
    expect(client.counts.trips).toBe(3);
    // from a callback of the event loop, too
    await new Promise<void>((resolve) => {
      setImmediate(() => {
        void Promise.all([0, 1, 9].map(later)).then(() => {
          resolve();
        });
      });
    });
    expect(client.counts.trips).toBe(4);
  });

  it('answers a burst of a thousand mixed requests in order', async () => {
    const { client, directory } = started();
    const before = openDescriptors();
    mkdirSync(join(directory, 'many'));
    const requests = Array.from({ length: 1000 }, (_, index) => async (): Promise<void> => {
      const name = `many/${index}-${'n'.repeat(index % 200)}`;
      switch (index % 5) {
        case 0: {
          const fields = { ...path(name), flags: O_CREAT | O_RDWR, mode: 0o600, uid: index, gid: 1 };
          const descriptor = await client.request('create', fields);
          expect(fstatSync(descriptor).uid).toBe(index);
          closeSync(descriptor);
          break;
        }
        case 1:
          expect(await client.request('lstat', path('file'))).toMatchObject({ size: 7 });
          break;
        case 2: {
          const target = bytes(`${index}`.padStart(1 + ((index * 7) % 3000), '.'));
          const made = client.request('symlink', { uid: 0, gid: 0, target, ...path(name) });
          const read = client.request('readlink', { ...path(name), size: 4096 });
          expect(await made).toBe(0);
          expect(text(await read)).toBe(text(target));
          break;
        }
        case 3:
          expect(await client.request('open', { ...path('missing'), flags: O_RDONLY })).toBe(-ENOENT);
          break;
        default: {
          const descriptor = await client.request('open', { ...path('file'), flags: O_RDONLY });
          expect(fstatSync(descriptor).size).toBe(7);
          closeSync(descriptor);
        }
      }
    });
    await Promise.all(requests.map((request) => request()));
    expect(openDescriptors()).toBe(before);
    expect(client.counts.trips).toBeLessThan(100);
  });

  it('takes large replies while it sends large requests', async () => {
    const { client } = started();
    const long = bytes(`/${'/'.repeat(60_000)}file`);
    const target = 'x'.repeat(4000);
    await client.request('symlink', { uid: 0, gid: 0, target: bytes(target), ...path('link') });
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        index % 2 === 0
          ? client.request('lstat', { path: long })
          : client.request('readlink', { ...path('link'), size: 4096 }),
      ),
    );
    answers.forEach((answer, index) => {
      if (index % 2 === 0) expect(answer).toMatchObject({ size: 7 });
      else expect(text(answer)).toBe(target);
    });
  });
});
