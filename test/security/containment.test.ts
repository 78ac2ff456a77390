/** Paths that stand still and try to leave the export: symlinks, `..`, and the magic links of procfs. */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '../../harness/random.js';
import { type HelperProcess, sessionForTest } from '../../harness/helper-process.js';
import { type RequestName, requestNames, requests, requestTypes } from '../../harness/requests.js';
import type { WireClient } from '../../harness/wire-client.js';
import { attack } from './attack-requests.js';
import { attackAll, deepPaths, dotDotPaths, fill, linkPaths, SHOWN } from './escapes.js';
import { type Outside, outsideForTest } from '../../harness/outside.js';
import { confinements, readOnlyHost, skipUnlessHarmless } from '../../harness/read-only-host.js';

const skip = skipUnlessHarmless('containment tests');

describe.skipIf(skip).each(confinements)('containment %s', { timeout: 240_000 }, (_, confinement) => {
  const start = (): { outside: Outside; client: WireClient } => {
    const outside = outsideForTest();
    fill(outside);
    const { client } = sessionForTest(outside.exportPath, {
      wrapper: [...readOnlyHost(outside.base), ...confinement],
    });
    outside.enter(client);
    return { outside, client };
  };

  it('holds for relative, absolute and chained symlinks', () => {
    const { outside, client } = start();
    attackAll(client, outside, linkPaths(), 1);
  });

  it('holds for `..` in every position, and for paths without a slash in front', () => {
    const { outside, client } = start();
    attackAll(client, outside, dotDotPaths(outside), 2);
  });

  it('holds for paths that are longer than PATH_MAX', () => {
    const { outside, client } = start();
    attackAll(client, outside, deepPaths(outside), 3);
  });

  it('leaves what is inside alone: the same names resolve there', () => {
    const { outside, client } = start();
    for (const path of [
      '/d/f',
      '/d/../d/f',
      '/../d/f',
      '/root/d/f',
      '/up/d/f',
      `/${'d/../'.repeat(500)}d/f`,
    ]) {
      const reply = client.request(requests.lstat(path));
      expect(reply.errno, path).toBe(0);
      expect(reply.payload.readBigUInt64LE(8)).toBe(
        statSync(join(outside.exportPath, 'd/f'), { bigint: true }).ino,
      );
    }
  });
});

/** The magic links of the helper itself and of other processes, which lead where their owner is, not where we are. */
function magicPaths(
  helper: HelperProcess,
  { path: outside }: Outside,
): Readonly<Record<'toOutside' | 'toHost', readonly string[]>> {
  const processes = ['self', 'thread-self', 'self/task/..', '1', String(helper.pid), String(process.pid)];
  const links = processes.flatMap((id) =>
    ['root', 'cwd', 'fd/0/../..', 'task/../root'].map((link) => `${id}/${link}`),
  );
  const descriptors = Array.from({ length: 40 }, (_, fd) => `self/fd/${fd}`);
  return {
    toOutside: [
      ...links.flatMap((link) => [`/proc/${link}${outside}/f`, `/proc/${link}/../outside/f`]),
      ...descriptors.map((link) => `/proc/${link}/../../../../../../..${outside}/f`),
      `/magic-root${outside}/f`,
      '/magic-cwd/outside/f',
    ],
    toHost: [
      ...[...links, ...descriptors, 'self/exe', `${process.pid}/exe`].map((link) => `/proc/${link}`),
      '/magic-root',
      '/magic-cwd',
    ],
  };
}

/** What a descriptor of the helper refers to, except for its size and times: a log grows. */
function ownFile(helper: HelperProcess, descriptor: number): string {
  const { dev, ino, mode, uid, gid, nlink } = statSync(`/proc/${helper.pid}/fd/${descriptor}`);
  return [dev, ino, mode, uid, gid, nlink].join(' ');
}

const MOUNT_BEFORE = 'mount -t proc proc "$0/export/proc" && : > "$0/host/mounted"';
const MOUNT_AFTER = `(sleep 2; ${MOUNT_BEFORE}) &`;

function wait(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Requests that change nothing, whatever they reach. */
const harmless: readonly RequestName[] = [
  'LSTAT',
  'READLINK',
  'STATFS',
  'GETVERSION',
  'LGETXATTR',
  'LLISTXATTR',
];

describe.skipIf(skip).each(confinements)(
  'a procfs inside the export, %s',
  { timeout: 240_000 },
  (_, confinement) => {
    const start = (mount = MOUNT_BEFORE): { outside: Outside; client: WireClient; helper: HelperProcess } => {
      const outside = outsideForTest();
      fill(outside);
      mkdirSync(join(outside.exportPath, 'proc'));
      // the mount is seen by the helper alone and goes with it, however the test ends
      const wrapper = [...readOnlyHost(outside.base, mount), ...confinement];
      const session = sessionForTest(outside.exportPath, { wrapper });
      outside.enter(session.client);
      const deadline = Date.now() + 20_000;
      while (!existsSync(join(outside.host, 'mounted')) && Date.now() < deadline) wait(50);
      expect(existsSync(join(outside.host, 'mounted')), 'the procfs is mounted').toBe(true);
      // a mount that is made after the start is not seen by a helper with mounts of its own
      if (mount === MOUNT_BEFORE)
        expect(session.client.request(requests.lstat('/proc/self/status')).errno).toBe(0);
      return { outside, ...session };
    };

    it.each([
      ['before', MOUNT_BEFORE],
      ['after', MOUNT_AFTER],
    ])('does not follow magic links, mounted %s the start', (_when, mount) => {
      const { outside, client, helper } = start(mount);
      const log = ownFile(helper, 2);
      const { toOutside, toHost } = magicPaths(helper, outside);
      const random = new Random(4);
      const found: string[] = [];
      for (const name of requestNames) {
        // other processes' links lead to where the host is writable, and so do descriptors that were passed on
        const paths = harmless.includes(name) ? [...toOutside, ...toHost] : toOutside;
        for (const path of paths) {
          const { bytes } = attack(name, random, () => path, [outside.path]);
          const leak = outside.leak(requestTypes[name], client.request(bytes));
          if (leak !== undefined) found.push(`${name} ${path}: ${leak}`);
        }
        found.push(...outside.changes().map((change) => `${name}: ${change}`));
      }
      expect(found.slice(0, SHOWN)).toEqual([]);
      expect(ownFile(helper, 2), 'the log, which is the helper’s descriptor 2').toBe(log);
    });

    it('does not hand out its own memory', () => {
      const { outside, client } = start();
      for (const path of ['/proc/self/mem', '/proc/thread-self/mem']) {
        const reply = client.request(requests.open(path, 2));
        expect(outside.leak(requestTypes.OPEN, reply), path).toBeUndefined();
        expect(reply.errno, path).not.toBe(0);
      }
    });
  },
);
