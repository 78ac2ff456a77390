/** As LXD and Incus start it for an instance with an id map: as root of a user namespace, on a connected descriptor. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { helperForTest, type Session, whyNotRoot } from '../../harness/helper-process.js';
import { errnoName } from '../../harness/libc.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { UserNamespace, whyNoUserNamespaces } from '../../harness/user-namespace.js';
import { WireClient } from '../../harness/wire-client.js';

const FIRST_ID = 100_000;
const IDS = 65_536;
const owner = { uid: 1000, gid: 1000 };

const skipped = whyNotRoot() ?? whyNoUserNamespaces();
if (skipped !== undefined) console.warn(`user namespace tests skipped: ${skipped}`);

describe.skipIf(skipped !== undefined)('in a user namespace with an id map', () => {
  let namespace: UserNamespace;

  beforeAll(async () => {
    namespace = await UserNamespace.make(`0 ${FIRST_ID} ${IDS}`);
  });

  afterAll(() => {
    namespace.remove();
  });

  function start(...more: readonly string[]): Session & { directory: string } {
    const directory = exportForTest();
    execFileSync('chown', [`${FIRST_ID}:${FIRST_ID}`, directory]);
    const { client, peer } = WireClient.pair();
    const args = ['--nodaemon', '--fd', '3', '--path', directory, ...more];
    return { directory, client, helper: helperForTest(args, { inherit: [peer], wrapper: namespace.enter }) };
  }

  it('serves, and what is made belongs to the ids of the namespace', async () => {
    const { directory, client, helper } = start();
    const created = client.request(requests.create('/f', 0x42, 0o644, owner));
    expect(errnoName(created.errno), helper.stderr()).toBe('success');
    closeSync(created.descriptor!);
    expect(client.request(requests.mkdir({ uid: 0, gid: 500 }, '/d', 0o755)).errno).toBe(0);
    expect(client.request(requests.chown('/f', { uid: 5, gid: 6 })).errno).toBe(0);
    expect(client.request(requests.symlink(owner, 'target', '/s')).errno).toBe(0);
    expect(client.request(requests.lstat('/d')).payload.readUInt32LE(32)).toBe(500);
    const owners = ['f', 'd', 's'].map((name) => {
      const { uid, gid } = lstatSync(join(directory, name));
      return [uid - FIRST_ID, gid - FIRST_ID];
    });
    expect(owners).toEqual([
      [5, 6],
      [0, 500],
      [1000, 1000],
    ]);
    client.close();
    expect((await helper.exit()).status).toBe(0);
  });

  it('refuses an id outside the map, makes nothing, and goes on with all its rights', () => {
    const { directory, client } = start();
    for (const outside of [
      { uid: 70_000, gid: 1000 },
      { uid: 1000, gid: 70_000 },
      { uid: 70_000, gid: 70_000 },
    ]) {
      expect(errnoName(client.request(requests.mkdir(outside, '/no', 0o755)).errno)).toBe('EINVAL');
    }
    expect(existsSync(join(directory, 'no'))).toBe(false);
    expect(client.request(requests.mkdir(owner, '/yes', 0o755)).errno).toBe(0);
    expect(client.request(requests.chown('/yes', { uid: 1, gid: 2 })).errno).toBe(0);
    expect(lstatSync(join(directory, 'yes')).uid).toBe(FIRST_ID + 1);
  });

  it('answers EPERM for a device node, which no user namespace may make', () => {
    const { client } = start();
    const node = requests.mknod({ uid: 0, gid: 0 }, '/null', 0o20666, 0x103);
    expect(errnoName(client.request(node).errno)).toBe('EPERM');
    expect(client.request(requests.mknod({ uid: 0, gid: 0 }, '/fifo', 0o10666, 0)).errno).toBe(0);
  });

  it.each([[], ['--readonly']])('opens what belongs to nobody in the namespace, with %j', (...more) => {
    const { directory, client } = start(...more);
    writeFileSync(join(directory, 'f'), 'content', { mode: 0o644 });
    mkdirSync(join(directory, 'd'));
    for (const flags of [0, constants.O_NOATIME]) {
      for (const bytes of [
        requests.open('/f', flags),
        requests.open('/d', flags),
        requests.open('/d', flags | constants.O_DIRECTORY),
        requests.create('/f', flags | constants.O_CREAT, 0o644, owner),
      ]) {
        const { errno, descriptor } = client.request(bytes);
        expect([flags, errnoName(errno)]).toEqual([flags, 'success']);
        closeSync(descriptor!);
      }
    }
  });

  it('keeps only the capabilities it needs, in the namespace', () => {
    const { client, helper } = start();
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    const status = readFileSync(`/proc/${helper.pid}/status`, 'utf8');
    expect(/^CapEff:\s*(\w+)$/m.exec(status)?.[1]).toBe('00000000080000db');
    expect(/^CapBnd:\s*(\w+)$/m.exec(status)?.[1]).toBe('00000000080000db');
    expect(/^Uid:\s*(\d+)/m.exec(status)?.[1]).toBe(String(FIRST_ID));
  });
});
