/** The files of mapped-file: their format is that of trees that QEMU 7.2 made; what the host puts in their place. */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { sessionForTest } from '../../harness/helper-process.js';
import { mknod } from '../../harness/libc.js';
import { exportForTest } from '../../harness/tree.js';
import { skipUnlessRoot } from '../../harness/root-only.js';
import { type Guest, user } from './guest.js';
import { ProxyGuest } from './proxy-guest.js';
import { DEVICE, guestForTest, hostMode, made, makeAll } from './made.js';

const skip = skipUnlessRoot('the files of mapped-file');

describe.skipIf(skip)('mapped-file', () => {
  const metadata = (guest: Guest, name: string): string =>
    readFileSync(guest.host(`.virtfs_metadata/${name}`), 'latin1');

  it('records what QEMU records, byte for byte', () => {
    const guest = guestForTest('mapped-file');
    makeAll(guest);
    expect(made.map((path) => metadata(guest, path))).toEqual([
      'virtfs.uid=0\nvirtfs.gid=0\nvirtfs.mode=35309\n',
      'virtfs.uid=1000\nvirtfs.gid=1001\nvirtfs.mode=17384\n',
      'virtfs.uid=1000\nvirtfs.gid=1001\nvirtfs.mode=41471\n',
      'virtfs.uid=0\nvirtfs.gid=0\nvirtfs.mode=4516\nvirtfs.rdev=0\n',
      'virtfs.uid=0\nvirtfs.gid=0\nvirtfs.mode=8576\nvirtfs.rdev=286338160\n',
      'virtfs.uid=-2\nvirtfs.gid=-3\nvirtfs.mode=33188\n',
    ]);
    expect(readFileSync(guest.host('.virtfs_metadata_root'), 'latin1')).toBe('virtfs.mode=17407\n');
    expect([hostMode(guest, '.virtfs_metadata'), hostMode(guest, '.virtfs_metadata/file')]).toEqual([
      '40700',
      '100600',
    ]);
  });

  it('leaves no record of what is gone, and moves it with what is moved', () => {
    const guest = guestForTest('mapped-file');
    makeAll(guest);
    guest.rename('/file', '/directory/moved');
    guest.remove('/fifo');
    guest.rename('/owned', '/character');
    expect(readdirSync(guest.host('.virtfs_metadata')).sort()).toEqual(['character', 'directory', 'link']);
    expect(readdirSync(guest.host('directory/.virtfs_metadata'))).toEqual(['moved']);
  });

  it('does not give what is made what was recorded of an object that the host removed', () => {
    const guest = guestForTest('mapped-file');
    mkdirSync(guest.host('.virtfs_metadata'));
    for (const name of ['file', 'directory', 'link', 'renamed', 'linked']) {
      writeFileSync(
        guest.host(`.virtfs_metadata/${name}`),
        'virtfs.uid=9\nvirtfs.mode=36333\nvirtfs.rdev=7\n',
      );
    }
    guest.create('/file', 0o600, user);
    guest.mkdir('/directory', 0o700, user);
    guest.symlink('t', '/link', user);
    writeFileSync(guest.host('plain'), '');
    guest.link('/plain', '/linked');
    guest.rename('/plain', '/renamed');
    expect(['/file', '/directory', '/link', '/linked', '/renamed'].map((path) => guest.look(path))).toEqual([
      '100600 1000:1001',
      '40700 1000:1001',
      '120777 1000:1001',
      '100644 0:0',
      '100644 0:0',
    ]);
  });

  it('removes a directory in which only records of what the host removed are left', () => {
    const guest = guestForTest('mapped-file');
    mkdirSync(guest.host('/d/.virtfs_metadata'), { recursive: true });
    for (let index = 0; index < 2_000; index++) {
      writeFileSync(guest.host(`/d/.virtfs_metadata/a longer name of number ${index}`), '');
    }
    writeFileSync(guest.host('/d/there'), '');
    expect([guest.remove('/d'), guest.remove('/d/there'), guest.remove('/d')]).toEqual([
      'ENOTEMPTY',
      'ok',
      'ok',
    ]);
    expect(existsSync(guest.host('/d'))).toBe(false);
  });

  it.each([
    ['a file of the metadata of an export', '.virtfs_metadata_root'],
    ['a file in place of the directory of metadata', '.virtfs_metadata'],
  ])('removes and replaces a directory in which %s is left', (_, left) => {
    const guest = guestForTest('mapped-file');
    for (const name of ['/d', '/e']) {
      guest.mkdir(name, 0o755, user);
      writeFileSync(guest.host(`${name}/${left}`), 'virtfs.mode=16877\n');
    }
    guest.mkdir('/f', 0o700, user);
    expect([guest.remove('/d'), guest.rename('/f', '/e'), guest.look('/e')]).toEqual([
      'ok',
      'ok',
      '40700 1000:1001',
    ]);
    expect([guest.exists('/d'), readdirSync(guest.host('/e'))]).toEqual(['ENOENT', []]);
  });

  it('follows no link and opens no special file in place of its own', () => {
    const guest = guestForTest('mapped-file');
    // a directory whose records would be those of another
    for (const directory of ['/d', '/other']) mkdirSync(guest.host(directory));
    writeFileSync(guest.host('/other/f'), 'virtfs.uid=7\n');
    symlinkSync('../other', guest.host('/d/.virtfs_metadata'));
    writeFileSync(guest.host('/d/f'), '');
    expect([guest.look('/d/f'), guest.chmod('/d/f', 0o600), guest.create('/d/new')]).toEqual([
      '100644 0:0',
      'ELOOP',
      'ELOOP',
    ]);
    expect([guest.exists('/d/new'), guest.mkdir('/d/new'), guest.exists('/d/new')]).toEqual([
      'ENOENT',
      'ELOOP',
      'ENOENT',
    ]);
    expect([guest.remove('/d/f'), guest.rename('/other/f', '/d/f')]).toEqual(['ok', 'ok']);
    expect(readdirSync(guest.host('/other'))).toEqual([]);
    // records that are a link and a fifo
    mkdirSync(guest.host('.virtfs_metadata'));
    writeFileSync(guest.host('/secret'), 'virtfs.uid=8\n');
    for (const name of ['linked', 'piped']) writeFileSync(guest.host(name), '');
    symlinkSync('../secret', guest.host('.virtfs_metadata/linked'));
    mknod(Buffer.from(guest.host('.virtfs_metadata/piped')), 0o010644, 0);
    expect([guest.look('/linked'), guest.look('/piped')]).toEqual(['100644 0:0', '100644 0:0']);
    expect([guest.chown('/linked', 5, 5), guest.chown('/piped', 5, 5)]).toEqual(['ELOOP', 'ENXIO']);
    expect(readFileSync(guest.host('/secret'), 'latin1')).toBe('virtfs.uid=8\n');
  });

  it('passes over lines that say nothing', () => {
    const guest = guestForTest('mapped-file');
    mkdirSync(guest.host('.virtfs_metadata'));
    writeFileSync(guest.host('f'), '');
    writeFileSync(
      guest.host('.virtfs_metadata/f'),
      '\nvirtfs.uid\nvirtfs.uid=12 x\nnothing=1\nvirtfs.gid=-1\nvirtfs.mode=',
    );
    expect(guest.look('/f')).toBe('100000 12:0');
    expect([guest.chmod('/f', 0o640), metadata(guest, 'f')]).toEqual([
      'ok',
      'virtfs.uid=12\nvirtfs.mode=33184\n',
    ]);
  });

  it('serves a file system without user attributes', () => {
    const directory = exportForTest();
    const wrapper = ['unshare', '-m', 'sh', '-c', 'mount -t ramfs ramfs "$0" && exec "$@"', directory];
    const guest = new ProxyGuest(
      sessionForTest(directory, { args: ['--security-model=mapped-file'], wrapper }),
      directory,
    );
    expect([guest.mknod('/c', 0o020600, DEVICE, user), guest.look('/c'), guest.status('/c').device]).toEqual([
      'ok',
      '20600 1000:1001',
      DEVICE.toString(16),
    ]);
    expect(guest.setxattr('/c', 'user.a', 'x')).toBe('EOPNOTSUPP');
  });
});
