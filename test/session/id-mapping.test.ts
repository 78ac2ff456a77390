/** `--map-uid` and its like: whom the guest's users are on the host, and whom the host's are in the guest. */
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, lstatSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import {
  ACL,
  acl,
  aclFor,
  creations,
  FIRST,
  NO_ID,
  O_CREATE,
  OVERFLOW,
  ownerInGuest,
  ownerOnHost,
  root,
  start,
} from '../../harness/id-mapping.js';
import { xattrs } from '../../harness/libc.js';
import { requests } from '../../harness/requests.js';
import { compareSnapshots, snapshot } from '../../harness/tree.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`id mapping tests skipped: ${skipped}`);

describe.skipIf(skipped !== undefined)('with mapped ids', () => {
  it('what the guest makes belongs to the ids of the map, and is shown with those of the guest', () => {
    const session = start();
    for (const owner of [root, { uid: 1000, gid: 50 }, { uid: 65_535, gid: 0 }]) {
      for (const [kind, bytes] of Object.entries(creations(owner, `${owner.uid}-`))) {
        expect(session.ask(bytes), session.helper.stderr()).toBe('success');
        const name = `${owner.uid}-${kind}`;
        expect(ownerOnHost(session.directory, name)).toEqual({
          uid: owner.uid + FIRST,
          gid: owner.gid + FIRST,
        });
        expect(ownerInGuest(session, `/${name}`)).toEqual(owner);
      }
    }
  });

  it('an owner is changed within the map, and stays where the guest says so', () => {
    const session = start();
    expect(session.ask(requests.mkdir(root, '/d', 0o755))).toBe('success');
    for (const [change, expected] of [
      [
        { uid: 1000, gid: 1001 },
        { uid: 1000, gid: 1001 },
      ],
      [
        { uid: NO_ID, gid: 7 },
        { uid: 1000, gid: 7 },
      ],
      [
        { uid: 8, gid: NO_ID },
        { uid: 8, gid: 7 },
      ],
      [
        { uid: NO_ID, gid: NO_ID },
        { uid: 8, gid: 7 },
      ],
    ] as const) {
      expect(session.ask(requests.chown('/d', change))).toBe('success');
      expect(ownerInGuest(session, '/d')).toEqual(expected);
      expect(ownerOnHost(session.directory, 'd')).toEqual({
        uid: expected.uid + FIRST,
        gid: expected.gid + FIRST,
      });
    }
  });

  it('an id outside the map is EPERM, makes and changes nothing, and is told in the log', () => {
    const session = start();
    expect(session.ask(requests.mkdir(root, '/d', 0o755))).toBe('success');
    const before = snapshot(session.directory);
    for (const outside of [
      { uid: 65_536, gid: 0 },
      { uid: 0, gid: 65_536 },
      { uid: FIRST, gid: FIRST },
      { uid: NO_ID - 1, gid: 0 },
    ]) {
      for (const bytes of [...Object.values(creations(outside)), requests.chown('/d', outside)]) {
        expect(session.ask(bytes)).toBe('EPERM');
      }
    }
    // "leave it" is said of what is there, not of what is made
    for (const bytes of Object.values(creations({ uid: NO_ID, gid: NO_ID }))) {
      expect(session.ask(bytes)).toBe('EPERM');
    }
    expect(compareSnapshots(snapshot(session.directory), before)).toEqual([]);
    const lines = session.helper.stderr().split('\n');
    const told = lines.filter((line) => line.includes('refused an id that is not mapped'));
    expect(told[0]).toContain('request=create, error=EPERM');
    expect(told.length).toBe(10);
    // and all rights are there again
    expect(session.ask(requests.mkdir({ uid: 5, gid: 6 }, '/e', 0o755))).toBe('success');
  });

  it('what belongs to others on the host is shown as the overflow id, and its attributes stay', () => {
    const { directory, ask, ...session } = start();
    for (const name of ['root', 'user']) writeFileSync(join(directory, name), 'host', { mode: 0o666 });
    chownSync(join(directory, 'user'), 1000, FIRST);
    symlinkSync('root', join(directory, 'guests-link'));
    execFileSync('chown', ['-h', `${FIRST}:${FIRST}`, join(directory, 'guests-link')]);
    expect(ownerInGuest(session, '/root')).toEqual({ uid: OVERFLOW, gid: OVERFLOW });
    expect(ownerInGuest(session, '/user')).toEqual({ uid: OVERFLOW, gid: 0 });
    const before = snapshot(directory);
    for (const path of ['/root', '/user']) {
      for (const bytes of [
        requests.chmod(path, 0o4755),
        requests.chown(path, root),
        requests.utime(path, [1n, 0n], [1n, 0n]),
        requests.lsetxattr(path, 'user.a', 'b'),
        requests.lsetxattr(path, ACL, aclFor(1, 1)),
        requests.lremovexattr(path, ACL),
      ]) {
        expect(ask(bytes)).toBe('EPERM');
      }
    }
    // nor through a link of its own
    expect(ask(requests.chmod('/guests-link', 0o4777))).toBe('EPERM');
    expect(compareSnapshots(snapshot(directory), before)).toEqual([]);
  });

  it('set-id bits are for the ids of the map, and stay for a group of the map only', () => {
    const { directory, ask } = start();
    const owner = { uid: 1000, gid: 1000 };
    expect(ask(requests.create('/root', O_CREATE, 0o755, root))).toBe('success');
    expect(ask(requests.create('/user', O_CREATE, 0o755, owner))).toBe('success');
    expect(ask(requests.create('/other', O_CREATE, 0o755, owner))).toBe('success');
    chownSync(join(directory, 'other'), FIRST + 1000, 0);
    for (const name of ['root', 'user', 'other'])
      expect(ask(requests.chmod(`/${name}`, 0o6755))).toBe('success');
    const modes = ['root', 'user', 'other'].map((name) => {
      const { mode, uid } = lstatSync(join(directory, name));
      return [(mode & 0o7777).toString(8), uid];
    });
    expect(modes).toEqual([
      ['6755', FIRST],
      ['6755', FIRST + 1000],
      ['4755', FIRST + 1000],
    ]);
  });

  it('a device node is EPERM for the root of the guest, which is none on the host', () => {
    const { directory, ask } = start();
    for (const mode of [0o20666, 0o60666])
      expect(ask(requests.mknod(root, '/device', mode, 0x103))).toBe('EPERM');
    expect(existsSync(join(directory, 'device'))).toBe(false);
  });

  it('times and attributes of its own are changed, of whichever of its users', () => {
    const { directory, ask, client } = start();
    for (const owner of [root, { uid: 1000, gid: 1000 }]) {
      const path = `/${owner.uid}`;
      expect(ask(requests.create(path, O_CREATE, 0o400, owner))).toBe('success');
      expect(ask(requests.utime(path, [5n, 0n], [6n, 0n]))).toBe('success');
      expect(ask(requests.lsetxattr(path, 'user.a', 'value'))).toBe('success');
      expect(lstatSync(join(directory, path)).mtimeMs).toBe(6000);
      expect(
        client
          .request(requests.lgetxattr(100, path, 'user.a'))
          .payload.subarray(2)
          .toString(),
      ).toBe('value');
      expect(ask(requests.lremovexattr(path, 'user.a'))).toBe('success');
      expect(xattrs(Buffer.from(join(directory, path)))).toEqual([]);
    }
  });
});

describe.skipIf(skipped !== undefined)('with squashed or forbidden ids', () => {
  it('everything is of one user, whoever makes it and whoever it is given to', () => {
    const session = start(['--squash-uid', '1000', '--squash-gid', '1001']);
    const one = { uid: 1000, gid: 1001 };
    for (const owner of [root, { uid: 5, gid: 6 }, { uid: 70_000, gid: 80_000 }]) {
      for (const [kind, bytes] of Object.entries(creations(owner, `${owner.uid}-`))) {
        expect(session.ask(bytes)).toBe('success');
        expect(ownerOnHost(session.directory, `${owner.uid}-${kind}`)).toEqual(one);
        expect(ownerInGuest(session, `/${owner.uid}-${kind}`)).toEqual(one);
      }
    }
    expect(session.ask(requests.chown('/5-file', { uid: 9, gid: 9 }))).toBe('success');
    expect(ownerOnHost(session.directory, '5-file')).toEqual(one);
    expect(session.ask(requests.chmod('/5-file', 0o600))).toBe('success');
    expect(session.ask(requests.lsetxattr('/5-file', ACL, aclFor(5, 6)))).toBe('success');
    expect(acl(session.directory, '5-file')).toEqual(
      expect.arrayContaining(['user:1000:rw-', 'group:1001:r--']),
    );
    expect(ownerInGuest(session, '/')).toEqual({ uid: OVERFLOW, gid: OVERFLOW });
  });

  it('a forbidden id is refused, all others stay as they are', () => {
    const session = start(['--forbid-uid', '0:1', '--forbid-uid', '2000:10', '--forbid-gid', '0:1']);
    for (const bytes of Object.values(creations({ uid: 0, gid: 5 })))
      expect(session.ask(bytes)).toBe('EPERM');
    for (const bytes of Object.values(creations({ uid: 2009, gid: 5 })))
      expect(session.ask(bytes)).toBe('EPERM');
    for (const bytes of Object.values(creations({ uid: 5, gid: 0 })))
      expect(session.ask(bytes)).toBe('EPERM');
    expect(readdirSync(session.directory)).toEqual([]);
    const owner = { uid: 2010, gid: 6 };
    for (const bytes of Object.values(creations(owner))) expect(session.ask(bytes)).toBe('success');
    expect(ownerOnHost(session.directory, 'file')).toEqual(owner);
    expect(session.ask(requests.chown('/file', root))).toBe('EPERM');
    expect(ownerInGuest(session, '/')).toEqual({ uid: OVERFLOW, gid: OVERFLOW });
  });
});
