/** The 9P server's units beside the helper's under a real systemd, with the commands of docs/systemd.md. */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { NinepClient } from '../../harness/ninep-client.js';
import { patience } from '../../harness/patience.js';
import { globalModules } from '../../harness/installed-package.js';
import { skipUnlessRoot } from '../../harness/root-only.js';
import { Scene } from '../server/acceptance/scene.js';
import { SystemdMachine, unit } from './machine.js';

const PATIENCE = { timeout: 30_000 * patience, interval: 50 };
const NOBODY = 65534;
const helper = unit('vm2', 'service');
const server = 'virtfs-9p-server@vm2.service';

/** Why nobody can connect over vsock on this machine. */
function whyNoVsock(): string | undefined {
  const code = `import socket
with socket.socket(socket.AF_VSOCK) as a, socket.socket(socket.AF_VSOCK) as b:
    a.bind((0xffffffff, 20564)); a.listen(); b.settimeout(2); b.connect((1, 20564))`;
  const { status, stderr } = spawnSync('python3', ['-S', '-c', code], { encoding: 'utf8' });
  return status === 0 ? undefined : `no vsock to this machine itself: ${stderr.trim().split('\n').at(-1)}`;
}

describe.skipIf(skipUnlessRoot('the units of the 9P server'))('helper and 9P server under systemd', () => {
  let machine: SystemdMachine;

  beforeAll(async () => {
    machine = await SystemdMachine.boot();
    machine.documented('systemctl link');
    machine.documented('systemctl enable --now virtfs-9p-server@');
  }, 600_000);

  afterAll(async () => {
    await machine.remove();
  }, 60_000);

  // a test that failed leaves its guest, for which the next one would wait
  afterEach(() => {
    machine.booted.attempt("systemctl stop 'virtfs-9p-server@*.service'");
  });

  async function becomes(name: string, state: string): Promise<void> {
    await vi.waitFor(() => {
      expect(machine.state(name), machine.journalText(name)).toBe(state);
    }, PATIENCE);
  }

  const socketOf = (instance: string): string =>
    machine.booted.at(`/run/virtfs-9p-server/${instance}/9p.sock`);
  const mainPid = (name: string): number => Number(machine.booted.property(name, 'MainPID'));
  const enter = (instance: string): Promise<Scene> =>
    Scene.enter({
      connect: () => NinepClient.connect({ path: socketOf(instance) }),
      export: machine.tree.at(`/srv/${instance}`),
      stop: () => Promise.resolve(),
    });

  it('has a socket of the configured owner, and no process before a machine comes', () => {
    const { uid, mode } = statSync(socketOf('vm2'));
    expect({ uid, mode: mode & 0o777 }).toEqual({ uid: NOBODY, mode: 0o600 });
    expect([machine.state(server), machine.state(helper)]).toEqual(['inactive', 'inactive']);
  });

  it('goes on with open files over every way in which the helper ends, and ends with the server', async () => {
    const scene = await enter('vm2');
    const named = await scene.create('named');
    const unlinked = await scene.create('unlinked');
    await scene.write(unlinked, '0123456789');
    await scene.remove('unlinked');
    expect(machine.documented('systemctl status virtfs-9p-server@')).toContain(
      'Status: "sharing the export of /run/virtfs-9p-helper/vm2/socket',
    );
    const serverPid = mainPid(server);
    const shown = machine.documented('status /run/virtfs-proxy-helper-control/vm2');
    expect(shown).toContain('export: /srv/vm2\n');
    expect(shown).toContain('dialect: 9P2000.L, ');
    const installed = `${globalModules}/virtfs-proxy-helper`;
    const ends = {
      restart: () => machine.documented('systemctl restart virtfs-proxy-helper@vm2.service'),
      'stop and start': () => machine.booted.run(`systemctl stop ${helper}; systemctl start ${helper}`),
      kill: () => machine.booted.run(`kill -9 ${mainPid(helper)}`),
      'another version': () =>
        machine.booted.run(
          `cp -a ${installed} ${installed}.new && mv ${installed} ${installed}.old && mv ${installed}.new ${installed} && rm -r ${installed}.old && systemctl restart ${helper}`,
        ),
    };
    let size = 10;
    for (const [way, end] of Object.entries(ends)) {
      const before = mainPid(helper);
      end();
      // a change that a helper was at when it ended would be EIO; a question waits for the next one
      await scene.getattr(named);
      // what goes by the path, by the descriptor, and past the helper
      await scene.setattr(named, { mode: 0o600 });
      await scene.setattr(unlinked, { size: --size });
      expect(await scene.getattr(unlinked), way).toMatchObject({ size: BigInt(size), nlink: 0n });
      expect(await scene.read(unlinked, 0, 20)).toBe('0123456789'.slice(0, size));
      expect(mainPid(helper), way).not.toBe(before);
      expect(mainPid(server), way).toBe(serverPid);
    }
    const log = machine.journalText(server).match(/the helper closed the connection: another one serves/g);
    expect(log).toHaveLength(Object.keys(ends).length);

    machine.booted.run(`systemctl stop ${server}`);
    await expect(scene.getattr(named)).rejects.toThrow();
    await becomes(helper, 'inactive');
    expect(machine.booted.property(server, 'Result')).toBe('success');
  }, 240_000);

  it('has a server without rights, in a sandbox that systemd finds nothing wrong with', async () => {
    const scene = await enter('vm2');
    const pid = mainPid(server);
    const [supervisor, ninep] = [pid, Number(machine.booted.run(`cat /proc/${pid}/task/${pid}/children`))];
    for (const process of [supervisor, ninep]) {
      const status = machine.booted.run(`cat /proc/${process}/task/*/status`);
      for (const set of ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
        expect(new Set(status.match(new RegExp(`^${set}:.*`, 'gm')))).toEqual(
          new Set([`${set}:\t0000000000000000`]),
        );
      expect(status).not.toMatch(/^Uid:.*\b0\b/m);
    }
    const analysis = machine.booted.attempt(`systemd-analyze security --no-pager --threshold=10 ${server}`);
    expect(analysis.status, analysis.stdout).toBe(0);
    const units = `${server} virtfs-9p-server@vm2.socket virtfs-9p-helper@vm2.socket`;
    expect(machine.booted.attempt(`systemd-analyze verify --man=no ${units}`)).toMatchObject({
      status: 0,
      stderr: '',
    });
    scene.leave().close();
    await becomes(server, 'inactive');
    await becomes(helper, 'inactive');
  });

  it('leaves the helper of one machine out of reach of the server of another, and of users', async () => {
    machine.booted.run('mkdir -p /srv/vm3');
    machine.configure('vm3', 'EXPORT=/srv/vm3');
    machine.booted.run('systemctl start virtfs-9p-server@vm3.socket');
    const [two, three] = [await enter('vm2'), await enter('vm3')];
    const inside = (command: string): string =>
      machine.booted.attempt(
        `nsenter --target ${mainPid('virtfs-9p-server@vm3.service')} --mount -- ${command}`,
      ).stdout;
    expect(inside('ls /run/virtfs-9p-helper')).toBe('vm3\n');
    expect(inside('ls /run/virtfs-9p-helper/vm3')).toBe('socket\n');
    for (const empty of ['/srv', '/home', '/root']) expect(inside(`ls -A ${empty}`)).toBe('');
    expect(
      machine.booted.attempt('setpriv --reuid=1234 --clear-groups ls /run/virtfs-9p-helper/vm2').stderr,
    ).toContain('Permission denied');
    for (const scene of [two, three]) scene.leave().close();
    for (const instance of ['vm2', 'vm3']) await becomes(unit(instance, 'service'), 'inactive');
  });

  it.each([
    [
      'a misspelt name',
      ['EXPORT=/srv', 'EXPROT=/srv'],
      '/etc/virtfs-proxy-helper/wrong.conf:2:EXPROT=/srv: is none of',
    ],
    ['no EXPORT', ['OWNER=nobody'], 'EXPORT= is missing in /etc/virtfs-proxy-helper/wrong.conf'],
    ['an unknown OWNER', ['EXPORT=/srv', 'OWNER=nobdy'], 'chown: invalid user: ‘nobdy’'],
  ])('does not start a socket whose file has %s, and says why in one line', (_, lines, reason) => {
    machine.configure('wrong', ...lines);
    const sockets = 'virtfs-9p-server@wrong.socket virtfs-9p-helper@wrong.socket';
    machine.booted.attempt(`systemctl stop ${sockets}; systemctl reset-failed`);
    expect(machine.booted.attempt('systemctl start virtfs-9p-server@wrong.socket').status).not.toBe(0);
    const journal = sockets.split(' ').map((name) => machine.journalText(name));
    expect(
      journal
        .join('\n')
        .split('\n')
        .filter((line) => line.startsWith(reason)),
    ).toHaveLength(1);
  });

  it('says why a server with wrong options does not start', async () => {
    machine.configure('late', 'EXPORT=/srv', 'SERVER_OPTIONS=--msize=1');
    machine.booted.run('systemctl start virtfs-9p-server@late.socket');
    const client = await NinepClient.connect({ path: socketOf('late') });
    await vi.waitFor(() => {
      expect(machine.journalText('virtfs-9p-server@late.service')).toContain(
        '--msize 1: must be a number from',
      );
    }, PATIENCE);
    client.close();
    machine.booted.attempt(
      'systemctl stop virtfs-9p-server@late.socket virtfs-9p-server@late.service; systemctl reset-failed',
    );
  });

  it('serves over vsock with the documented drop-in', async (context) => {
    const why = whyNoVsock();
    if (why !== undefined) console.warn(`activation over vsock skipped: ${why}`);
    context.skip(why !== undefined, why);
    machine.documented('ListenStream=vsock::564');
    const code = `import socket
client = socket.socket(socket.AF_VSOCK); client.connect((1, 564))
client.sendall(bytes.fromhex('15000000' '64' 'ffff' '00000100' '0800') + b'9P2000.L'); print(client.recv(100)[4])`;
    expect(spawnSync('python3', ['-S', '-c', code], { encoding: 'utf8' }).stdout).toBe('101\n');
    await becomes(server, 'inactive');
  });

  it('is removed with the documented commands', async () => {
    machine.documented('systemctl disable --now virtfs-9p-server@');
    await becomes('virtfs-9p-server@vm2.socket', 'inactive');
    expect(existsSync(socketOf('vm2'))).toBe(false);
  });
});
