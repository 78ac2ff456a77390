/** Names that are swapped between the moment when the helper looks whose something is and the moment when it changes it. */
import { chownSync, lstatSync, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sessionForTest } from '../../harness/helper-process.js';
import { ACL, aclFor, FIRST, mapped } from '../../harness/id-mapping.js';
import { inject, whyNoInjection } from '../../harness/injection.js';
import { errnoName, setXattr, xattrs } from '../../harness/libc.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { confinements } from '../../harness/read-only-host.js';
import { countFrom, skipUnlessRoot } from '../../harness/root-only.js';

const noInjection = whyNoInjection();
if (noInjection !== undefined) console.warn(`swapped owners skipped: ${noInjection}`);
const skip = skipUnlessRoot('swapped owners') || noInjection !== undefined;
const rounds = countFrom('VIRTFS_RACE_ROUNDS', 20);
const owner = { uid: 7, gid: 7 };
const NOW = 2n ** 30n - 1n;

const pause = (milliseconds: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
};

function describeFile(path: string): string {
  const { uid, gid, mode, mtimeNs } = statSync(path, { bigint: true });
  const attributes = xattrs(Buffer.from(path)).map(
    ([name, value]) => `${String(name)}=${value.toString('hex')}`,
  );
  return [uid, gid, mode.toString(8), mtimeNs, ...attributes].join(' ');
}

const changes: readonly (readonly [string, (path: string) => Buffer])[] = [
  ['CHOWN', (path) => requests.chown(path, owner)],
  ['CHMOD', (path) => requests.chmod(path, 0o4777)],
  ['UTIME', (path) => requests.utime(path, [0n, NOW], [0n, NOW])],
  ['LSETXATTR', (path) => requests.lsetxattr(path, 'user.a', 'guest')],
  ['LSETXATTR of an ACL', (path) => requests.lsetxattr(path, ACL, aclFor(1, 1))],
  ['LREMOVEXATTR', (path) => requests.lremovexattr(path, 'user.a')],
];

describe.skipIf(skip).each(confinements)('with mapped ids, %s', (_, wrapper) => {
  it.each(changes)('%s changes what it has looked at, not what has its name meanwhile', async (_, change) => {
    const directory = exportForTest();
    for (const [name, id] of [
      ['guests', FIRST],
      ['hosts', 0],
    ] as const) {
      writeFileSync(join(directory, name), '', { mode: 0o600 });
      setXattr(Buffer.from(join(directory, name)), Buffer.from('user.a'), Buffer.from('value'));
      chownSync(join(directory, name), id, id);
    }
    const { client, helper } = sessionForTest(directory, { args: mapped, wrapper });
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    const before = describeFile(join(directory, 'hosts'));
    const letGo = await inject(helper.pid, 'statx:delay_exit=400000');
    const bytes = change('/guests');
    client.send(bytes);
    pause(200);
    renameSync(join(directory, 'guests'), join(directory, 'moved'));
    renameSync(join(directory, 'hosts'), join(directory, 'guests'));
    const { errno } = client.receive(bytes.readUInt32LE(0));
    expect(await letGo()).not.toEqual([]);
    expect(describeFile(join(directory, 'guests')), errnoName(errno)).toBe(before);
  });

  it(`another helper that renames meanwhile gets nothing of the host's into the map (${rounds} rounds)`, () => {
    const directory = exportForTest();
    for (const name of ['hosts', 'guests']) mkdirSync(join(directory, name));
    writeFileSync(join(directory, 'hosts/f'), '');
    writeFileSync(join(directory, 'guests/f'), '');
    chownSync(join(directory, 'guests/f'), FIRST, FIRST);
    const [renaming, owning] = [0, 1].map(() => sessionForTest(directory, { args: mapped, wrapper }));
    const swaps = ['guests', 'hosts'].flatMap((name) => [
      requests.rename(`/${name}/f`, '/x'),
      requests.rename('/x', `/${name}/f`),
    ]);
    const changed = [requests.chown('/x', owner), requests.lsetxattr('/x', 'user.a', 'b')];
    const host = lstatSync(join(directory, 'hosts/f')).ino;
    for (let round = 0; round < rounds; round++) {
      renaming!.client.send(Buffer.concat(Array.from({ length: 50 }, () => swaps).flat()));
      owning!.client.send(Buffer.concat(Array.from({ length: 100 }, () => changed).flat()));
      for (let index = 0; index < 200; index++) {
        expect(renaming!.client.receiveExactly(12).readInt32LE(8)).toBe(0);
        owning!.client.receiveExactly(12);
      }
      const { ino, uid, gid } = lstatSync(join(directory, 'hosts/f'));
      expect({ ino, uid, gid }).toEqual({ ino: host, uid: 0, gid: 0 });
      expect(xattrs(Buffer.from(join(directory, 'hosts/f')))).toEqual([]);
    }
  });
});
