/** What the models leave on the host: the format of QEMU's `local` driver, as it was seen in trees that QEMU 7.2 made. */
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { helperForTest, sessionForTest } from '../../harness/helper-process.js';
import { mknod, setXattr, xattrs } from '../../harness/libc.js';
import { exportForTest } from '../../harness/tree.js';
import { skipUnlessRoot } from '../../harness/root-only.js';
import { type Guest, root, unchanged, user } from './guest.js';
import { ProxyGuest } from './proxy-guest.js';
import { guestForTest, hostMode, made, makeAll } from './made.js';

const skip = skipUnlessRoot('what the security models leave on the host');
function virtfsXattrs(guest: Guest, path: string): Record<string, string> {
  return Object.fromEntries(
    xattrs(Buffer.from(guest.host(path))).map(([name, value]) => [name.toString(), value.toString('hex')]),
  );
}

describe.skipIf(skip).each(['mapped-xattr', 'mapped-file'] as const)('on the host %s', (model) => {
  it('leaves only its own files, of 0600, and directories, of 0700', () => {
    const guest = guestForTest(model);
    makeAll(guest);
    expect(made.map((path) => hostMode(guest, path))).toEqual([
      '100600',
      '40700',
      '100600',
      '100600',
      '100600',
      '100600',
    ]);
    expect(made.map((path) => lstatSync(guest.host(path)).uid)).toEqual(made.map(() => 0));
    expect(readFileSync(guest.host('/link'), 'latin1')).toBe('../some/target');
  });

  it('takes other modes for them from --fmode and --dmode', () => {
    const guest = guestForTest(model, '--fmode=0640', '--dmode', '751');
    makeAll(guest);
    expect(['/file', '/directory', '/link'].map((path) => hostMode(guest, path))).toEqual([
      '100640',
      '40751',
      '100640',
    ]);
    expect(guest.look('/file')).toBe('104755 0:0');
  });

  it('shows what the host made as it is, and records only what the guest changes of it', () => {
    const guest = guestForTest(model);
    writeFileSync(guest.host('/file'), 'content');
    chmodSync(guest.host('/file'), 0o640);
    mkdirSync(guest.host('/directory'));
    mknod(Buffer.from(guest.host('/fifo')), 0o010600, 0);
    expect([guest.look('/file'), guest.look('/directory'), guest.look('/fifo')]).toEqual([
      '100640 0:0',
      '40755 0:0',
      '10600 0:0',
    ]);
    expect([guest.chown('/file', 5, unchanged), guest.look('/file')]).toEqual(['ok', '100640 5:0']);
    expect([hostMode(guest, '/file'), lstatSync(guest.host('/file')).uid]).toEqual(['100640', 0]);
    expect(guest.open('/fifo')).toBe('ENXIO');
  });

  it('changes nothing of an export that is read-only, and reads it the same', () => {
    const directory = exportForTest();
    const writing = new ProxyGuest(
      sessionForTest(directory, { args: ['--security-model', model] }),
      directory,
    );
    makeAll(writing);
    const args = ['--security-model', model, '--readonly'];
    const reading = new ProxyGuest(sessionForTest(directory, { args }), directory);
    expect(made.map((path) => reading.look(path))).toEqual(made.map((path) => writing.look(path)));
    expect(reading.readlink('/link')).toBe('../some/target');
    expect([
      reading.chmod('/file', 0o600),
      reading.remove('/file'),
      reading.open('/file', 2),
      reading.open('/file'),
    ]).toEqual(['EROFS', 'EROFS', 'EROFS', 'ok']);
  });
});

describe.skipIf(skip)('mapped-xattr', () => {
  it('records what QEMU records, byte for byte', () => {
    const guest = guestForTest('mapped-xattr');
    makeAll(guest);
    const ids = (uid: string, gid: string): Record<string, string> => ({
      'user.virtfs.uid': uid,
      'user.virtfs.gid': gid,
    });
    const byRoot = ids('00000000', '00000000');
    const byUser = ids('e8030000', 'e9030000');
    expect(made.map((path) => virtfsXattrs(guest, path))).toEqual([
      { ...byRoot, 'user.virtfs.mode': 'ed890000' },
      { ...byUser, 'user.virtfs.mode': 'e8430000' },
      { ...byUser, 'user.virtfs.mode': 'ffa10000' },
      { ...byRoot, 'user.virtfs.mode': 'a4110000', 'user.virtfs.rdev': '0000000000000000' },
      { ...byRoot, 'user.virtfs.mode': '80210000', 'user.virtfs.rdev': '702c111100000000' },
      { ...ids('feffffff', 'fdffffff'), 'user.virtfs.mode': 'a4810000' },
    ]);
    expect(virtfsXattrs(guest, '/')).toEqual({ 'user.virtfs.mode': 'ff430000' });
  });

  it('records an ACL beside the rest, and leaves that of the host alone', () => {
    const guest = guestForTest('mapped-xattr');
    guest.create('/f');
    expect(guest.setxattr('/f', 'system.posix_acl_access', 'value')).toBe('ok');
    const value = Buffer.from('value').toString('hex');
    expect(virtfsXattrs(guest, '/f')).toMatchObject({ 'user.virtfs.system.posix_acl_access': value });
    expect(virtfsXattrs(guest, '/f')).not.toHaveProperty('system.posix_acl_access');
  });

  it('takes values of another length for none, and no type that the host cannot have', () => {
    const guest = guestForTest('mapped-xattr');
    const set = (path: string, name: string, value: string): void => {
      setXattr(Buffer.from(guest.host(path)), Buffer.from(`user.virtfs.${name}`), Buffer.from(value, 'hex'));
    };
    writeFileSync(guest.host('/f'), '');
    chmodSync(guest.host('/f'), 0o644);
    mkdirSync(guest.host('/d'));
    set('/f', 'uid', '0102');
    set('/f', 'gid', '0102030405');
    // a directory that is a file, a link that is a directory
    set('/f', 'mode', 'ed410000');
    set('/d', 'mode', 'ffa10000');
    expect([guest.look('/f'), guest.look('/d')]).toEqual(['100755 0:0', '40777 0:0']);
    expect([guest.open('/f'), guest.open('/d'), guest.readlink('/d')]).toEqual(['ok', 'ok', 'EINVAL']);
  });

  it('does not start where there are no user attributes, and says what to do', async () => {
    const directory = exportForTest();
    const wrapper = ['unshare', '-m', 'sh', '-c', 'mount -t ramfs ramfs "$0" && exec "$@"', directory];
    const args = ['-n', '-p', directory, '-s', `${directory}.sock`, '--security-model=mapped-xattr'];
    const { status, stderr } = await helperForTest(args, { wrapper }).exit();
    expect([status, stderr.trim().split('\n')]).toEqual([
      1,
      [expect.stringMatching(/no user extended attributes, .* use mapped-file \[export-without-xattrs\]$/)],
    ]);
    expect(existsSync(`${directory}.sock`)).toBe(false);
  });

  it('has them without giving any to the guest with --xattr=off', () => {
    const guest = guestForTest('mapped-xattr', '--xattr=off');
    expect([guest.create('/f', 0o640, user), guest.look('/f')]).toEqual(['ok', '100640 1000:1001']);
    expect([
      guest.getxattr('/f', 'user.virtfs.mode'),
      guest.setxattr('/f', 'user.a', 'x'),
      guest.listxattr('/f'),
      guest.removexattr('/f', 'user.a'),
    ]).toEqual(['EOPNOTSUPP', 'EOPNOTSUPP', 'EOPNOTSUPP', 'EOPNOTSUPP']);
  });
});

describe.skipIf(skip)('--xattr=off', () => {
  it.each(['passthrough', 'none'] as const)('takes extended attributes from the guest with %s', (model) => {
    const guest = guestForTest(model, '--xattr=off');
    expect([
      guest.create('/f', 0o600, root),
      guest.setxattr('/f', 'user.a', 'x'),
      guest.listxattr('/f'),
    ]).toEqual(['ok', 'EOPNOTSUPP', 'EOPNOTSUPP']);
  });
});
