/** What `--map-uid` and `--map-gid` do is what the kernel does in a user namespace with the same map. */
import { chmodSync, chownSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import {
  ACL,
  aclFor,
  creations,
  FIRST,
  MAP,
  NO_ID,
  O_CREATE,
  ownerInGuest,
  root,
  type Share,
  start,
} from '../../harness/id-mapping.js';
import { requests } from '../../harness/requests.js';
import { compareSnapshots, snapshot } from '../../harness/tree.js';
import { UserNamespace, whyNoUserNamespaces } from '../../harness/user-namespace.js';

const noNamespace = whyNotRoot() ?? whyNoUserNamespaces();
if (noNamespace !== undefined) console.warn(`comparison with a user namespace skipped: ${noNamespace}`);

describe.skipIf(noNamespace !== undefined)('a user namespace with the same map', () => {
  let namespace: UserNamespace;
  beforeAll(async () => {
    namespace = await UserNamespace.make(MAP.replaceAll(':', ' '));
  });
  afterAll(() => {
    namespace.remove();
  });

  /** Everything that has to do with ids, with what the guest is told of it. */
  function use(session: Share): string[] {
    chownSync(session.directory, FIRST, FIRST);
    const hosts = join(session.directory, 'hosts');
    writeFileSync(hosts, '');
    chmodSync(hosts, 0o644);
    const seen: string[] = [];
    const ask = (...frames: readonly Buffer[]): void => {
      seen.push(...frames.map((bytes) => session.ask(bytes)));
    };
    for (const owner of [root, { uid: 1000, gid: 50 }, { uid: 65_535, gid: 0 }]) {
      const name = `${owner.uid}-`;
      ask(...Object.values(creations(owner, name)));
      ask(requests.chmod(`/${name}file`, 0o6755), requests.chown(`/${name}link`, { uid: 4, gid: NO_ID }));
      ask(requests.utime(`/${name}file`, [5n, 0n], [6n, 0n]));
      ask(requests.lsetxattr(`/${name}file`, ACL, aclFor(7, 9)));
      ask(requests.lsetxattr(`/${name}file`, 'user.a', 'b'), requests.lremovexattr(`/${name}file`, 'user.a'));
      ask(requests.mknod(owner, '/device', 0o20666, 0x103));
      ask(requests.lsetxattr(`/${name}file`, 'trusted.a', 'b'));
    }
    ask(requests.mkdir(root, '/shared', 0o777), requests.chown('/shared', { uid: 0, gid: 500 }));
    ask(requests.chmod('/shared', 0o2777));
    ask(requests.create('/shared/file', O_CREATE, 0o644, { uid: 1000, gid: 1000 }));
    ask(requests.chmod('/hosts', 0o4755), requests.chown('/hosts', root));
    ask(requests.utime('/hosts', [5n, 0n], [6n, 0n]), requests.lremovexattr('/hosts', ACL));
    for (const name of readdirSync(session.directory).sort()) {
      seen.push(`${name} ${JSON.stringify(ownerInGuest(session, `/${name}`))}`);
    }
    const value = session.client.request(requests.lgetxattr(1000, '/0-file', ACL)).payload;
    return [...seen, value.toString('hex')];
  }

  it('has the same result, on the host and in the guest', () => {
    const ours = start();
    const kernels = start([], namespace.enter);
    expect(use(ours)).toEqual(use(kernels));
    const noTimes = (): string => '';
    expect(compareSnapshots(snapshot(ours.directory, noTimes), snapshot(kernels.directory, noTimes))).toEqual(
      [],
    );
  });
});
