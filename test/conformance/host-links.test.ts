/** mapped-file records by name, and the host gives a file several: what is changed through one is seen through all. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { skipUnlessRoot } from '../../harness/root-only.js';
import { sessionForTest } from '../../harness/helper-process.js';
import { Installation, ordinaryUsers, ownedExportForTest } from '../../harness/ordinary-user.js';
import { exportForTest } from '../../harness/tree.js';
import { type Guest, user } from './guest.js';
import { ProxyGuest } from './proxy-guest.js';
import { guestForTest } from './made.js';

const skip = skipUnlessRoot('hard links of the host');
const links = '.virtfs_metadata/.virtfs_metadata_links';

describe.skipIf(skip)('mapped-file', () => {
  /** One file of the host: /a, /d/b and /d/c. */
  function guestOfLinks(): Guest {
    const guest = guestForTest('mapped-file');
    mkdirSync(guest.host('/d'));
    writeFileSync(guest.host('/a'), 'content', { mode: 0o644 });
    for (const name of ['/d/b', '/d/c']) linkSync(guest.host('/a'), guest.host(name));
    return guest;
  }

  const looks = (guest: Guest, ...names: string[]): string[] => names.map((name) => guest.look(name));

  it('shows a change through all names', () => {
    const guest = guestOfLinks();
    expect([guest.chmod('/a', 0o600), ...looks(guest, '/a', '/d/b', '/d/c')]).toEqual([
      'ok',
      ...Array<string>(3).fill('100600 0:0'),
    ]);
    expect([guest.chown('/d/b', 7, 8), ...looks(guest, '/a', '/d/b', '/d/c')]).toEqual([
      'ok',
      ...Array<string>(3).fill('100600 7:8'),
    ]);
    // and to QEMU the two that have a record
    const inode = (name: string): number => lstatSync(guest.host(name)).ino;
    expect(inode('/d/.virtfs_metadata/b')).toBe(inode('/.virtfs_metadata/a'));
    expect(readFileSync(guest.host('/.virtfs_metadata/a'), 'latin1')).toBe(
      'virtfs.uid=7\nvirtfs.gid=8\nvirtfs.mode=33152\n',
    );
  });

  it('shows it also where the helper cannot change its root', () => {
    const { path } = ownedExportForTest();
    writeFileSync(join(path, 'a'), '', { mode: 0o644 });
    linkSync(join(path, 'a'), join(path, 'b'));
    const installation = new Installation();
    onTestFinished(() => {
      installation.remove();
    });
    const session = sessionForTest(path, {
      program: installation.program,
      wrapper: ordinaryUsers['where user namespaces are forbidden'],
      args: ['--security-model=mapped-file'],
    });
    const guest = new ProxyGuest(session, path);
    expect([guest.chown('/a', 7, 8), guest.look('/b'), guest.chmod('/b', 0o600), guest.look('/a')]).toEqual([
      'ok',
      '100644 7:8',
      'ok',
      '100600 7:8',
    ]);
    expect(session.helper.stderr()).toContain('root=not changed');
  });

  it('goes on to show it when names are removed and moved', () => {
    const guest = guestOfLinks();
    writeFileSync(guest.host('/over'), '');
    guest.chown('/over', 9, 9);
    guest.chown('/a', 7, 8);
    guest.remove('/a');
    renameSync(guest.host('/d'), guest.host('/e'));
    expect(looks(guest, '/e/b', '/e/c')).toEqual(['100644 7:8', '100644 7:8']);
    expect([
      guest.rename('/e/b', '/moved'),
      guest.rename('/e/c', '/over'),
      guest.link('/over', '/new'),
    ]).toEqual(['ok', 'ok', 'ok']);
    expect(looks(guest, '/moved', '/over', '/new')).toEqual(Array<string>(3).fill('100644 7:8'));
    expect([guest.chmod('/new', 0o4711), ...looks(guest, '/moved', '/over', '/new')]).toEqual([
      'ok',
      ...Array<string>(3).fill('104711 7:8'),
    ]);
  });

  it('shows the next change of what the guest made through a name that the host gave it', () => {
    const guest = guestForTest('mapped-file');
    guest.mknod('/fifo', 0o010600, 0, user);
    linkSync(guest.host('/fifo'), guest.host('/second'));
    expect([guest.chmod('/fifo', 0o640), guest.look('/second')]).toEqual(['ok', '10640 1000:1001']);
  });

  it('shows a change of a file of the host through a name that the guest gave it', () => {
    const guest = guestForTest('mapped-file');
    writeFileSync(guest.host('/a'), '');
    guest.link('/a', '/b');
    expect([guest.chmod('/a', 0o604), guest.look('/b'), guest.chmod('/b', 0o600), guest.look('/a')]).toEqual([
      'ok',
      '100604 0:0',
      'ok',
      '100600 0:0',
    ]);
  });

  it('shows the capabilities of a file through all names', () => {
    const guest = guestOfLinks();
    const capability = Buffer.from('0100000201000000000000000000000000000000', 'hex');
    expect([guest.setxattr('/a', 'security.capability', capability)]).toEqual(['ok']);
    expect(guest.getxattr('/d/b', 'security.capability')).toBe(capability.toString('latin1'));
  });

  it('gives nothing of it to a file that gets its number', () => {
    const guest = guestOfLinks();
    const { ino } = lstatSync(guest.host('/a'));
    guest.chown('/a', 7, 8);
    for (const name of ['/a', '/d/b', '/d/c']) rmSync(guest.host(name));
    for (let count = 0; count < 200 && !existsSync(guest.host('/again')); count++) {
      writeFileSync(guest.host(`/${count}`), '', { mode: 0o644 });
      if (lstatSync(guest.host(`/${count}`)).ino === ino)
        renameSync(guest.host(`/${count}`), guest.host('/again'));
    }
    // on a file system that gives no number again there is nothing to see
    if (!existsSync(guest.host('/again'))) return;
    linkSync(guest.host('/again'), guest.host('/a link'));
    expect(looks(guest, '/again', '/a link')).toEqual(['100644 0:0', '100644 0:0']);
    expect([guest.chown('/again', 5, 6), guest.look('/a link')]).toEqual(['ok', '100644 5:6']);
  });

  it('believes no entry that somebody else wrote', () => {
    const guest = guestOfLinks();
    guest.chown('/a', 7, 8);
    const [slot = ''] = readdirSync(guest.host(links));
    writeFileSync(guest.host(`${links}/${slot}`), 'virtfs.uid=1\n');
    expect(guest.look('/d/b')).toBe('100644 0:0');
    rmSync(guest.host(`${links}/${slot}`));
    writeFileSync(guest.host(`${links}/${slot}`), 'virtfs.uid=2\n');
    expect(guest.look('/d/b')).toBe('100644 0:0');
    // its place is taken again
    expect([guest.chown('/a', 3, 4), guest.look('/d/b')]).toEqual(['ok', '100644 3:4']);
    expect(readdirSync(guest.host(links))).toEqual([slot]);
  });

  it('keeps the records of a copied tree', () => {
    const guest = guestOfLinks();
    guest.chown('/a', 7, 8);
    const copied = guestForTest('mapped-file');
    execFileSync('cp', ['-a', `${guest.host('/')}/.`, copied.host('/')]);
    expect([copied.look('/a'), copied.chmod('/a', 0o600), copied.look('/d/b')]).toEqual([
      '100644 7:8',
      'ok',
      '100600 7:8',
    ]);
  });

  it('lets a directory be removed that was an export', () => {
    const guest = guestForTest('mapped-file');
    mkdirSync(guest.host('/d'));
    mkdirSync(guest.host(`/d/${links}`), { recursive: true });
    writeFileSync(guest.host(`/d/${links}/0001`), '');
    expect([guest.remove('/d'), guest.exists('/d')]).toEqual(['ok', 'ENOENT']);
  });

  it('changes files with several names where nothing can be noted on a record', () => {
    const directory = exportForTest();
    const wrapper = [
      'unshare',
      '-m',
      'sh',
      '-c',
      'mount -t ramfs ramfs "$0"; echo >"$0/a"; ln "$0/a" "$0/b"; exec "$@"',
    ];
    const session = sessionForTest(directory, {
      args: ['--security-model=mapped-file'],
      wrapper: [...wrapper, directory],
    });
    const guest = new ProxyGuest(session, directory);
    expect([guest.chown('/a', 7, 8), guest.chmod('/b', 0o600), ...looks(guest, '/a', '/b')]).toEqual([
      'ok',
      'ok',
      '100644 7:8',
      '100600 0:0',
    ]);
    expect(guest.exists(join('/', links))).toBe('ENOENT');
  });
});
