/** `server`: the 9P server beside a helper that somebody else starts, here this test. */
import { chmodSync, chownSync, existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  type HelperProcess,
  helperForTest,
  nobodyListens,
  whyNotRoot,
} from '../../harness/helper-process.js';
import { NinepClient } from '../../harness/ninep-client.js';
import { Installation, ordinaryUser } from '../../harness/ordinary-user.js';
import { Random } from '../../harness/random.js';
import { isAlive } from '../../harness/run-process.js';
import { attached, expectGone, ofThreads, ShareProcess } from '../../harness/share-process.js';
import { exportForTest } from '../../harness/tree.js';
import { Scene } from './acceptance/scene.js';
import { GuestUnderKills } from './guest-under-kills.js';
import { helperAt, PATIENCE, place, type Place, serverAt } from './halves.js';

const skipped = whyNotRoot();
const suffix = skipped === undefined ? '' : ` (${skipped})`;

async function kill(helper: HelperProcess, { helperSocket }: Place): Promise<void> {
  process.kill(helper.pid, 'SIGKILL');
  await helper.exit();
  await nobodyListens(helperSocket);
  rmSync(helperSocket);
}

async function sceneAt({ path, directory }: Place): Promise<Scene> {
  const connect = (): Promise<NinepClient> => NinepClient.connect({ path });
  return Scene.enter({ connect, export: directory, stop: () => Promise.resolve() });
}

describe.skipIf(skipped !== undefined)(`the command server${suffix}`, () => {
  const installation = new Installation();
  afterAll(() => {
    installation.remove();
  });

  it('serves a guest with a helper that runs already, and ends when the guest leaves', async () => {
    const here = place();
    const helper = await helperAt(here);
    const server = await serverAt(here).ready();
    const pids = server.remember();
    expect(server.helpers()).toEqual([]);
    writeFileSync(join(here.directory, 'file'), 'content');
    const client = await attached(here.path);
    await client.request('Twalk', { fid: 0, newfid: 1, names: ['file'] });
    await client.request('Tlopen', { fid: 1, flags: 0 });
    expect((await client.request('Tread', { fid: 1, offset: 0, count: 10 })).data.toString()).toBe('content');
    client.close();
    expect(await server.end()).toMatchObject({ status: 0, signal: null, report: 'ready\n' });
    await expectGone(pids);
    expect(await helper.exit()).toMatchObject({ status: 0 });
  });

  it('needs no right: an ordinary user without capabilities, who can get none', async () => {
    const here = place();
    await helperAt(here, `--uid=${ordinaryUser.uid}`);
    const { helperSocket, path } = here;
    for (const socket of [helperSocket, path]) chownSync(dirname(socket), ordinaryUser.uid, ordinaryUser.gid);
    const { uid, gid } = ordinaryUser;
    const wrapper = [
      ...['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--no-new-privs'],
      ...['--bounding-set=-all', '--inh-caps=-all', '--'],
    ];
    const server = serverAt(here, [], { wrapper, program: installation.program });
    await server.ready();
    const client = await attached(path, uid);
    await client.request('Twalk', { fid: 0, newfid: 1, names: [] });
    await client.request('Tlcreate', { fid: 1, name: 'new', flags: 0o102, mode: 0o640, gid: 77 });
    expect(statSync(join(here.directory, 'new'))).toMatchObject({ uid: 0, gid: 77 });
    for (const pid of [server.pid, ...server.servers()])
      for (const field of ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
        expect(new Set(ofThreads(pid, field))).toEqual(new Set(['0000000000000000']));
    client.close();
    expect(await server.end()).toMatchObject({ status: 0 });
  });

  it(
    'keeps files, fids and locks of a guest that works while helpers are killed and started again',
    { timeout: 600_000 },
    async () => {
      const here = place();
      let helper = await helperAt(here);
      const server = await serverAt(here, ['--helper-restarts=1000']).ready();
      const random = new Random(1);
      const guest = await GuestUnderKills.begin(await sceneAt(here), new Random(2));
      const working = guest.work();
      working.catch(() => undefined);
      onTestFinished(() => {
        guest.stop();
      });
      for (let kills = 0; kills < 6; kills++) {
        const before = guest.steps;
        await Promise.race([working, vi.waitUntil(() => guest.steps > before + 2, PATIENCE)]);
        await kill(helper, here);
        // sometimes it takes a while until there is another one
        await pause(random.below(500));
        helper = await helperAt(here);
      }
      const before = guest.steps;
      await Promise.race([working, vi.waitUntil(() => guest.steps > before + 2, PATIENCE)]);
      guest.stop();
      await working;
      await guest.check();
      expect(server.stderr.match(/the helper closed the connection: another one serves/g)).toHaveLength(6);
      server.child.kill('SIGTERM');
      expect(await server.end()).toMatchObject({ status: 0 });
    },
  );

  it('waits for a helper for as long as nobody listens, with one line of the log', async () => {
    const here = place();
    const helper = await helperAt(here);
    const server = await serverAt(here, ['--helper-restarts=1']).ready();
    const client = await attached(here.path);
    await kill(helper, here);
    const asked = client.request('Tgetattr', { fid: 0, mask: 0x7ff });
    await server.said('waiting for another helper');
    await pause(1000);
    await helperAt(here);
    expect((await asked).mode & 0o170000).toBe(0o040000);
    expect(
      server.stderr.match(/waiting for another helper: cannot connect to a helper at .*\n/g),
    ).toHaveLength(1);
  });

  it('ends when the guest leaves, or a signal comes, while it waits for a helper', async () => {
    for (const leave of ['guest', 'signal'] as const) {
      const here = place();
      const helper = await helperAt(here);
      const server = await serverAt(here).ready();
      const client = await attached(here.path);
      const pids = server.remember();
      await kill(helper, here);
      await server.said('waiting for another helper');
      if (leave === 'guest') client.close();
      else server.child.kill('SIGTERM');
      expect(await server.end()).toMatchObject({ status: 0, signal: null });
      await expectGone(pids);
    }
  });

  it('ends with the reason when connections are lost again and again', async () => {
    const here = place();
    let helper = await helperAt(here);
    const server = await serverAt(here, ['--helper-restarts=1']).ready();
    const client = await attached(here.path);
    await kill(helper, here);
    helper = await helperAt(here);
    await client.request('Tgetattr', { fid: 0, mask: 0x7ff });
    await kill(helper, here);
    const { status, stderr } = await server.end();
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /the helper closed the connection, and too often: the export of .* is not shared any more/,
    );
  });

  it('ends rather than go on with a helper that serves another directory', async () => {
    const here = place();
    const helper = await helperAt(here);
    const server = await serverAt(here).ready();
    const other = exportForTest();
    writeFileSync(join(other, 'file'), 'the guest never had this');
    const client = await attached(here.path);
    await kill(helper, here);
    const removing = client.request('Tunlinkat', { dirfd: 0, name: 'file', flags: 0 });
    removing.catch(() => undefined);
    await helperAt({ ...here, directory: other });
    const { status, stderr } = await server.end();
    expect(status).toBe(1);
    expect(stderr).toContain('the exported directory is not the one that it was');
    await expect(removing).rejects.toThrow();
    expect(existsSync(join(other, 'file'))).toBe(true);
  });

  it('tells in one line that the helper sends this user away', async () => {
    const here = place();
    const helper = helperForTest([
      ...['--nodaemon', `--path=${here.directory}`, `--socket=${here.helperSocket}`, '--descriptor-requests'],
    ]);
    await vi.waitFor(() => {
      expect(existsSync(here.helperSocket)).toBe(true);
    }, PATIENCE);
    chownSync(dirname(here.helperSocket), ordinaryUser.uid, ordinaryUser.gid);
    chmodSync(here.helperSocket, 0o777);
    const wrapper = ['setpriv', `--reuid=${ordinaryUser.uid}`, '--clear-groups', '--'];
    const options = { wrapper, program: installation.program };
    const { helperSocket } = here;
    const { status, code } = await serverAt({ helperSocket, path: `${helperSocket}.9p` }, [], options).end();
    expect({ status, code }).toEqual({ status: 1, code: 'helper-not-reached' });
    expect(helper.stderr()).toContain('refused a client');
  });

  it('serves every guest with --keep-listening, each by a connection of its own', async () => {
    const here = place();
    const helper = await helperAt(here, '--keep-listening');
    const server = await serverAt(here, ['--keep-listening']).ready();
    const [first, second] = [await attached(here.path), await attached(here.path)];
    first.close();
    await vi.waitFor(() => {
      expect(server.servers()).toHaveLength(1);
    }, PATIENCE);
    expect(await second.request('Tgetattr', { fid: 0, mask: 0x7ff })).toMatchObject({
      nlink: expect.any(BigInt) as bigint,
    });
    server.child.kill('SIGTERM');
    expect(await server.end()).toMatchObject({ status: 0 });
    expect(isAlive(helper.pid)).toBe(true);
  });

  it.each([[[]], [['--keep-listening']]])(
    'tells in one line that no helper is there: %j',
    async (options) => {
      const here = place();
      const { status, code, report } = await serverAt(here, options).end();
      expect({ status, code }).toEqual({ status: 1, code: 'helper-not-reached' });
      expect(report).toMatch(
        /^cannot connect to a helper at \S+: no such file or directory \(ENOENT\) \[.*\]\n$/,
      );
    },
  );

  it.each([
    [['--listen=unix:/run/none'], '--helper is required'],
    [['--helper=/a', '--helper=/b', '--listen=unix:/run/none'], '--helper is given twice: /a and /b'],
    [[`--helper=/${'x'.repeat(107)}`, '--listen=unix:/run/none'], 'longer than the 107 bytes'],
    [['--helper=/a'], '--listen is required'],
    [['--helper=/a', '--listen=udp:1'], '--listen udp:1: must be'],
    [['--helper=/a', '--listen=unix:/run/none', '--path=/srv'], 'unknown option --path'],
    [['--helper=/a', '--listen=unix:/run/none', '--security-model=all'], 'must be one of'],
    [['--helper=/a', '--listen=unix:/run/none', 'operand'], 'unexpected argument operand'],
  ])('refuses %j in one line', async (options, reason) => {
    const { status, stderr } = await new ShareProcess(options, { command: 'server' }).end();
    expect(status).toBe(2);
    expect(stderr).toContain(reason);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
