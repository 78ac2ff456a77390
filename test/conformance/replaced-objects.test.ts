/** mapped-file records by name, but for one inode: the host replaces objects, and copies trees. */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { skipUnlessRoot } from '../../harness/root-only.js';
import { sessionForTest } from '../../harness/helper-process.js';
import { exportForTest } from '../../harness/tree.js';
import { type Guest, user } from './guest.js';
import { ProxyGuest } from './proxy-guest.js';
import { guestForTest, made, makeAll } from './made.js';

const skip = skipUnlessRoot('records of replaced objects');

/**
 * Removes what the host is to make anew, which may get the number of the old one: so not before the clock of the kernel, which
 * ticks a hundred times a second at least, has another time for its birth.
 */
function removeOnHost(path: string): void {
  rmSync(path);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 11);
}

describe.skipIf(skip)('mapped-file', () => {
  const metadata = (guest: Guest, name: string): string =>
    readFileSync(guest.host(`.virtfs_metadata/${name}`), 'latin1');

  describe('a name of which the host made another object', () => {
    const kinds = ['/file', '/link', '/fifo', '/character', '/owned'];

    it.each([
      [
        'made anew',
        (): undefined => undefined,
        (_: string, path: string): void => {
          writeFileSync(path, '');
        },
      ],
      [
        'moved there',
        (old: string): void => {
          writeFileSync(old, '');
        },
        renameSync,
      ],
    ])('has nothing of the old one when it was %s', (_, beforehand, put) => {
      const guest = guestForTest('mapped-file');
      for (const name of kinds) beforehand(guest.host(`${name}.old`));
      makeAll(guest);
      for (const name of kinds) {
        removeOnHost(guest.host(name));
        put(guest.host(`${name}.old`), guest.host(name));
      }
      rmdirSync(guest.host('/directory'));
      mkdirSync(guest.host('/directory'), 0o755);
      const looks = [...kinds, '/directory'].map((name) => guest.look(name));
      expect(looks).toEqual([...kinds.map(() => '100644 0:0'), '40755 0:0']);
      expect(kinds.map((name) => guest.open(name))).toEqual(kinds.map(() => 'ok'));
    });

    it('is recorded from the beginning when the guest changes it', () => {
      const guest = guestForTest('mapped-file');
      makeAll(guest);
      guest.link('/file', '/other');
      removeOnHost(guest.host('/file'));
      writeFileSync(guest.host('/file'), '');
      expect([guest.chown('/file', 7, 8), guest.look('/file'), metadata(guest, 'file')]).toEqual([
        'ok',
        '100644 7:8',
        'virtfs.uid=7\nvirtfs.gid=8\n',
      ]);
      expect([guest.look('/other'), guest.chmod('/file', 0o600), guest.look('/file')]).toEqual([
        '104755 0:0',
        'ok',
        '100600 7:8',
      ]);
    });

    it('keeps nothing of the old one when the guest moves and links it', () => {
      const guest = guestForTest('mapped-file');
      makeAll(guest);
      for (const name of ['/file', '/owned']) {
        removeOnHost(guest.host(name));
        writeFileSync(guest.host(name), '');
      }
      expect([guest.link('/file', '/linked'), guest.rename('/file', '/moved')]).toEqual(['ok', 'ok']);
      expect(guest.rename('/owned', '/character')).toBe('ok');
      const looks = ['/linked', '/moved', '/character'].map((name) => guest.look(name));
      expect(looks).toEqual(looks.map(() => '100644 0:0'));
    });

    it('loses no capability to it', () => {
      const guest = guestForTest('mapped-file');
      guest.create('/file');
      const capability = Buffer.from('0100000201000000000000000000000000000000', 'hex');
      expect(guest.setxattr('/file', 'security.capability', capability)).toBe('ok');
      removeOnHost(guest.host('/file'));
      writeFileSync(guest.host('/file'), '');
      expect(guest.getxattr('/file', 'security.capability')).toBe('ENODATA');
    });

    it('has what QEMU recorded of it in the same file', () => {
      const guest = guestForTest('mapped-file');
      makeAll(guest);
      removeOnHost(guest.host('/owned'));
      writeFileSync(guest.host('/owned'), '');
      // as QEMU, which empties and writes the file that is there
      writeFileSync(guest.host('.virtfs_metadata/owned'), 'virtfs.uid=5\nvirtfs.gid=6\nvirtfs.mode=41471\n');
      expect(guest.look('/owned')).toBe('120777 5:6');
    });
  });

  it('keeps what is recorded while the host writes to an object, and renames its directory', () => {
    const guest = guestForTest('mapped-file');
    mkdirSync(guest.host('/d'));
    guest.create('/d/file', 0o640, user);
    guest.mknod('/d/fifo', 0o010644, 0, user);
    for (const name of ['file', 'fifo']) writeFileSync(guest.host(`/d/${name}`), 'of the host');
    renameSync(guest.host('/d'), guest.host('/e'));
    expect(['/e/file', '/e/fifo'].map((name) => guest.look(name))).toEqual([
      '100640 1000:1001',
      '10644 1000:1001',
    ]);
  });

  it.each([
    ['cp -a', (from: string, to: string) => execFileSync('cp', ['-a', `${from}/.`, to])],
    ['cp -r', (from: string, to: string) => execFileSync('cp', ['-r', `${from}/.`, to])],
    [
      'Node, records first',
      (from: string, to: string): void => {
        for (const name of readdirSync(from).sort())
          cpSync(`${from}/${name}`, `${to}/${name}`, { recursive: true });
      },
    ],
    [
      'Node, records last',
      (from: string, to: string): void => {
        const names = readdirSync(from).sort().reverse();
        for (const name of names) cpSync(`${from}/${name}`, `${to}/${name}`, { recursive: true });
      },
    ],
    [
      'tar',
      (from: string, to: string) =>
        execFileSync('sh', ['-c', 'tar -C "$0" --xattrs -cf - . | tar -C "$1" --xattrs -xf -', from, to]),
    ],
  ])('takes what is recorded into a copy of a tree by %s', (_, copy) => {
    const original = guestForTest('mapped-file');
    makeAll(original);
    original.link('/file', '/linked');
    const copied = guestForTest('mapped-file');
    copy(original.host('/'), copied.host('/'));
    const names = [...made, '/linked', '/'];
    expect(names.map((name) => copied.look(name))).toEqual(names.map((name) => original.look(name)));
  });

  it('keeps what is recorded on an overlay, which gives a file that is written to another birth', () => {
    const parts = exportForTest();
    for (const name of ['lower', 'upper', 'work']) mkdirSync(join(parts, name));
    writeFileSync(join(parts, 'lower/file'), '');
    const directory = exportForTest();
    const options = ['lower', 'upper', 'work'].map((name) => `${name}dir=${join(parts, name)}`).join();
    const mount = `mount -t overlay -o ${options} overlay "$0" && exec "$@"`;
    const wrapper = ['unshare', '-m', 'sh', '-c', mount, directory];
    const session = sessionForTest(directory, { args: ['--security-model=mapped-file'], wrapper });
    const guest = new ProxyGuest(session, directory);
    expect([guest.chown('/file', 5, 6), guest.write('/file', 'x'), guest.look('/file')]).toEqual([
      'ok',
      'ok',
      '100644 5:6',
    ]);
  });
});
