/** An id of a request that names nobody (-1): every group of what is made, with version=9p2000.u. */
import { execFileSync } from 'node:child_process';
import { lstatSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import {
  ACL,
  aclFor,
  creations,
  FIRST,
  mapped,
  NO_ID,
  ownerInGuest,
  ownerOnHost,
  start,
} from '../../harness/id-mapping.js';
import { requests } from '../../harness/requests.js';
import { compareSnapshots, snapshot } from '../../harness/tree.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of ids that are not named skipped: ${skipped}`);

const groupless = { uid: 1000, gid: NO_ID };
const refusals = (log: string): string[] =>
  log
    .split('\n')
    .filter((line) => line.includes('refused an id that is not mapped'))
    .map((line) => /error=EPERM, (.*?)\)?$/.exec(line)?.[1] ?? line);

describe.skipIf(skipped !== undefined)('with mapped ids, an id that is not named', () => {
  it.each([
    ['a map', mapped, { uid: FIRST + 1000, gid: FIRST }, { uid: 1000, gid: 0 }],
    ['users mapped only', mapped.slice(0, 2), { uid: FIRST + 1000, gid: 0 }, { uid: 1000, gid: 0 }],
    ['squashed groups', ['--squash-gid', '50'], { uid: 1000, gid: 50 }, { uid: 1000, gid: 50 }],
    [
      'a map and squashed groups',
      [...mapped, '--squash-gid', '300'],
      { uid: FIRST + 1000, gid: 300 },
      { uid: 1000, gid: 65_534 },
    ],
    ['other groups forbidden', ['--forbid-gid', '5:10'], { uid: 1000, gid: 0 }, { uid: 1000, gid: 0 }],
  ])(
    "the group of what is made, with %s: the squashed one, or that of the guest's root",
    (_, args, host, guest) => {
      const session = start(args);
      for (const [name, bytes] of Object.entries(creations(groupless))) {
        expect(session.ask(bytes), session.helper.stderr()).toBe('success');
        expect(ownerOnHost(session.directory, name)).toEqual(host);
        expect(ownerInGuest(session, `/${name}`)).toEqual(guest);
      }
    },
  );

  it.each([
    ["a map without the root's group", ['--map-gid', '1000:1000:1'], { uid: 1000, gid: NO_ID }, 'gid=-1'],
    ["the root's group forbidden", ['--forbid-gid', '0:1'], { uid: 1000, gid: NO_ID }, 'gid=-1'],
    ['a map, and no user named', mapped, { uid: NO_ID, gid: 0 }, 'uid=-1'],
    ['the root forbidden, and no user named', ['--forbid-uid', '0:1'], { uid: NO_ID, gid: 0 }, 'uid=-1'],
  ])('%s: EPERM, and told in the log', (_, args, owner, told) => {
    const session = start(args);
    const before = snapshot(session.directory);
    const all = Object.values(creations(owner));
    expect(all.map(session.ask)).toEqual(all.map(() => 'EPERM'));
    expect(compareSnapshots(snapshot(session.directory), before)).toEqual([]);
    expect(refusals(session.helper.stderr())).toEqual(all.map(() => told));
  });

  it('a user that is not named is the squashed one', () => {
    const session = start(['--squash-uid', '1000', '--forbid-uid', '0:1']);
    for (const [name, bytes] of Object.entries(creations({ uid: NO_ID, gid: 5 }))) {
      expect(session.ask(bytes)).toBe('success');
      expect(ownerOnHost(session.directory, name)).toEqual({ uid: 1000, gid: 5 });
    }
  });

  it('is none of an ACL, squashed or not', () => {
    const session = start(['--squash-uid', '1000', '--squash-gid', '1000']);
    expect(session.ask(requests.mkdir({ uid: 5, gid: 5 }, '/d', 0o755))).toBe('success');
    for (const value of [aclFor(NO_ID, 0), aclFor(0, NO_ID)]) {
      expect(session.ask(requests.lsetxattr('/d', ACL, value))).toBe('EPERM');
    }
  });

  it('stays what it is in a CHOWN, also where everything else is squashed', () => {
    const session = start(['--squash-uid', '1000', '--squash-gid', '1000']);
    expect(session.ask(requests.mkdir({ uid: 5, gid: 5 }, '/d', 0o755))).toBe('success');
    expect(session.ask(requests.chown('/d', { uid: NO_ID, gid: NO_ID }))).toBe('success');
    expect(ownerOnHost(session.directory, 'd')).toEqual({ uid: 1000, gid: 1000 });
  });
});

describe.skipIf(skipped !== undefined)('a refusal tells', () => {
  it('which id was refused, and on which side', () => {
    const session = start();
    const ask = (bytes: Buffer): void => {
      expect(session.ask(bytes)).toBe('EPERM');
    };
    writeFileSync(join(session.directory, 'hosts'), '');
    execFileSync('chown', ['12:100000', join(session.directory, 'hosts')]);
    expect(session.ask(requests.mkdir({ uid: 0, gid: 0 }, '/d', 0o755))).toBe('success');
    ask(requests.mkdir({ uid: 70_000, gid: 0 }, '/x', 0o755));
    ask(requests.mkdir({ uid: 0, gid: 80_000 }, '/x', 0o755));
    ask(requests.chown('/d', { uid: 0, gid: 90_000 }));
    ask(requests.chown('/hosts', { uid: 0, gid: 0 }));
    ask(requests.chmod('/hosts', 0o4755));
    ask(requests.lsetxattr('/d', ACL, aclFor(70_001, 0)));
    ask(requests.lsetxattr('/d', 'security.capability', 'x'));
    expect(refusals(session.helper.stderr())).toEqual([
      'uid=70000',
      'gid=80000',
      'gid=90000',
      'hostUid=12',
      'hostUid=12',
      'uid=70001',
      'attribute=security.capability',
    ]);
  });
});

describe.skipIf(skipped !== undefined)('passthrough without a map', () => {
  it('gives what nobody is named for to the root, as the C helper does, device nodes too', () => {
    const session = start([]);
    for (const [name, bytes] of Object.entries(creations({ uid: 1000, gid: NO_ID }, 'group-'))) {
      expect(session.ask(bytes)).toBe('success');
      expect(ownerOnHost(session.directory, `group-${name}`)).toEqual({ uid: 1000, gid: 0 });
    }
    for (const [name, bytes] of Object.entries(creations({ uid: NO_ID, gid: NO_ID }, 'none-'))) {
      expect(session.ask(bytes)).toBe('success');
      expect(ownerOnHost(session.directory, `none-${name}`)).toEqual({ uid: 0, gid: 0 });
    }
    // a guest's root that mounts with version=9p2000.u
    expect(session.ask(requests.mknod({ uid: 0, gid: NO_ID }, '/null', 0o20666, 0x103))).toBe('success');
    expect(lstatSync(join(session.directory, 'null')).isCharacterDevice()).toBe(true);
    expect(session.ask(requests.mknod({ uid: 1000, gid: NO_ID }, '/no', 0o20666, 0x103))).toBe('EPERM');
  });
});
