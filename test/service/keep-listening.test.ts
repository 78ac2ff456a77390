/** --keep-listening: every client has a process of its own, and none of them ends the service. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectAs } from '../../harness/connect-as.js';
import {
  commandLine,
  type HelperProcess,
  helperForTest,
  OURS,
  whyNotRoot,
} from '../../harness/helper-process.js';
import { listenUnix } from '../../harness/libc.js';
import { NotifySocket } from '../../harness/notify-socket.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';

const skipped = whyNotRoot();
/** CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETGID, SETUID, MKNOD. */
const SERVING = '00000000080000db';
/** And SETPCAP, SYS_CHROOT, SYS_ADMIN. */
const LISTENING = '00000000082401db';

interface Listener {
  readonly helper: HelperProcess;
  readonly directory: string;
  readonly path: string;
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !condition();) {
    if (Date.now() > end) throw new Error(`not in 10 seconds: ${what}`);
    await wait(10);
  }
}

async function listener(...args: string[]): Promise<Listener> {
  const directory = exportForTest();
  // beside the export, as it should be
  const path = join(exportForTest(), 'socket');
  const helper = helperForTest(['-n', '-p', directory, '-s', path, '--keep-listening', ...args]);
  await until('the socket', () => existsSync(path));
  return { helper, directory, path };
}

function client(path: string): WireClient {
  const connected = WireClient.connect(path);
  onTestFinished(() => {
    connected.close();
  });
  return connected;
}

/** The processes of the clients. */
const clientsOf = (pid: number): number[] =>
  readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' '))
    .filter((child) => child !== '')
    .map(Number);

const asks = (one: WireClient): number => one.request(requests.lstat('/')).errno;

function status(pid: number): Record<string, string | undefined> {
  const lines = readFileSync(`/proc/${pid}/status`, 'utf8').split('\n');
  return Object.fromEntries(lines.map((line) => line.split(/:\s*/, 2) as [string, string]));
}

describe.skipIf(skipped !== undefined)('a listener', () => {
  it('serves one client after another, each in its own process, and says which in the log', async () => {
    const control = join(exportForTest(), 'control');
    const { helper, path } = await listener('--control', control);
    const pids = new Set<number>();
    for (let round = 0; round < 3; round++) {
      const one = client(path);
      expect(asks(one)).toBe(0);
      const [pid] = clientsOf(helper.pid);
      pids.add(pid!);
      expect(existsSync(`${control}.${pids.size}`)).toBe(true);
      one.close();
      await until('the end of the session', () => clientsOf(helper.pid).length === 0);
    }
    expect(pids.size).toBe(3);
    await until('no control socket is left', () => readdirSync(join(control, '..')).length === 0);
    for (const number of [1, 2, 3]) {
      expect(helper.stderr()).toContain(`info: the client has left (client=${number}, requests=1)`);
    }
  });

  it('goes on when a client breaks the protocol and when the process of one is killed', async () => {
    const { helper, path } = await listener();
    const [violator, victim, bystander] = [client(path), client(path), client(path)];
    expect([asks(violator), asks(victim), asks(bystander)]).toEqual([0, 0, 0]);
    violator.send(Buffer.from([99, 0, 0, 0, 0, 0, 0, 0]));
    expect(violator.atEnd()).toBe(true);
    await until('the end of the violator', () => clientsOf(helper.pid).length === 2);
    // which is gone before the listener has its line in the log
    await until('its line in the log', () =>
      helper.stderr().includes('the session of a client failed (client=1, status=3'),
    );

    // the one that answers no more after this is the victim or the bystander
    process.kill(clientsOf(helper.pid)[0]!, 'SIGKILL');
    await until('the end of the one that was killed', () => clientsOf(helper.pid).length === 1);
    const alive = [victim, bystander].filter((one) => {
      try {
        return asks(one) === 0;
      } catch {
        return false;
      }
    });
    expect(alive.length).toBe(1);
    expect(asks(client(path))).toBe(0);
  });

  it('gives its clients no more rights than a helper without it, and nothing of its own', async () => {
    const directory = exportForTest();
    const manager = new NotifySocket(join(directory, 'notify'));
    const path = join(directory, 'socket');
    const args = ['-n', '-p', directory, '-s', path, '--keep-listening', '--pidfile', join(directory, 'pid')];
    const helper = helperForTest(args, { env: { ...process.env, NOTIFY_SOCKET: manager.address } });
    await manager.has('READY=1');
    const [one, other] = [client(path), client(path)];
    expect([asks(one), asks(other)]).toEqual([0, 0]);
    const pids = clientsOf(helper.pid);
    expect(pids.length).toBe(2);
    for (const pid of pids) {
      for (const task of readdirSync(`/proc/${pid}/task`)) {
        expect(status(Number(task))).toMatchObject({
          CapPrm: SERVING,
          CapEff: SERVING,
          CapBnd: SERVING,
          CapInh: '0000000000000000',
          NoNewPrivs: '1',
          Seccomp: '2',
          Groups: '',
        });
      }
      const open = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
      expect(open.filter((target) => target.startsWith('socket:')).length).toBe(1);
      expect(open).not.toContain(join(directory, 'pid'));
      expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain('NOTIFY');
    }
    expect(status(helper.pid)).toMatchObject({ CapBnd: LISTENING, CapPrm: LISTENING, NoNewPrivs: '1' });
    expect(readFileSync(join(directory, 'pid'), 'utf8')).toBe(`${helper.pid}\n`);
  });

  it('has every client end when it is told to, and then ends itself', async () => {
    const directory = exportForTest();
    const manager = new NotifySocket(join(directory, 'notify'));
    const path = join(directory, 'socket');
    const helper = helperForTest(['-n', '-p', directory, '-s', path, '--keep-listening'], {
      env: { ...process.env, NOTIFY_SOCKET: manager.address },
    });
    await manager.has('READY=1');
    const [one, other] = [client(path), client(path)];
    expect([asks(one), asks(other)]).toEqual([0, 0]);
    await manager.has(`STATUS=serving ${directory} to 2 clients, 2 so far`);
    const pids = clientsOf(helper.pid);
    helper.child.kill('SIGTERM');
    expect((await helper.exit()).status).toBe(0);
    await manager.has('STOPPING=1');
    expect([one.atEnd(), other.atEnd()]).toEqual([true, true]);
    expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
  });

  it('starts ten processes at once, and lets further clients wait', async () => {
    const { helper, path } = await listener();
    for (let count = 0; count < 13; count++) client(path);
    await until('ten processes', () => clientsOf(helper.pid).length >= 10);
    await wait(500);
    expect(clientsOf(helper.pid).length).toBe(10);
    helper.child.kill('SIGTERM');
    expect((await helper.exit()).status).toBe(0);
  });

  it('starts no process for somebody who may not connect', async () => {
    const { helper, path } = await listener('-u', '1000');
    spawnSync('chmod', ['755', join(path, '..')]);
    spawnSync('chmod', ['777', path]);
    expect(connectAs(1001, path)).toBe('refused');
    expect(helper.stderr()).toContain(
      'refused a client that is neither the socket owner nor root (uid=1001)',
    );
    expect(helper.stderr()).not.toContain('serving a client');
    expect(connectAs(1000, path)).toBe('served');
  });

  it('ends with 1 when the socket is removed and the last client leaves: nobody can come any more', async () => {
    const { helper, path } = await listener();
    const one = client(path);
    expect(asks(one)).toBe(0);
    rmSync(path);
    one.close();
    const exit = await helper.exit();
    expect([exit.status, exit.stderr]).toEqual([1, expect.stringContaining('nobody can connect any more')]);
  });
});

describe.skipIf(skipped !== undefined)('--keep-listening', () => {
  it.each([
    ['an inherited descriptor', ['-n', '-f', '3'], {}],
    ['socket activation', [], { LISTEN_FDS: '1' }],
  ])('works with a listening socket of %s', async (_what, args, env) => {
    const directory = exportForTest();
    const path = join(directory, 'socket');
    const helper = helperForTest(['-p', directory, ...args, '--keep-listening'], {
      inherit: [listenUnix(path)],
      wrapper: ['sh', '-c', 'LISTEN_PID=$$ exec "$@"', 'sh'],
      env: { ...process.env, ...env },
    });
    for (let round = 0; round < 2; round++) {
      const one = client(path);
      expect(asks(one)).toBe(0);
      one.close();
    }
    helper.child.kill('SIGTERM');
    expect((await helper.exit()).status).toBe(0);
  });

  it('is wrong usage with a connected socket', async () => {
    const { client: one, peer } = WireClient.pair();
    const helper = helperForTest(['-n', '-p', exportForTest(), '-f', '3', '--keep-listening'], {
      inherit: [peer],
    });
    const exit = await helper.exit();
    one.close();
    expect([exit.status, exit.stderr]).toEqual([
      2,
      expect.stringContaining('--keep-listening: needs a listening'),
    ]);
    expect(exit.stderr).toMatch(/^virtfs-proxy-helper: [^\n]+\n$/);
  });

  it('goes to the background, too: the command returns when clients can come', async () => {
    const directory = exportForTest();
    const path = join(directory, 'socket');
    const pidfile = join(directory, 'pid');
    const [command, args] = commandLine(OURS, [
      '-p',
      directory,
      '-s',
      path,
      '--keep-listening',
      '--pidfile',
      pidfile,
    ]);
    const { status: exit, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 20_000 });
    expect([exit, stderr]).toEqual([0, '']);
    const pid = Number(readFileSync(pidfile, 'utf8'));
    onTestFinished(() => void spawnSync('kill', ['-KILL', String(pid)]));
    expect([asks(client(path)), asks(client(path))]).toEqual([0, 0]);
    process.kill(pid, 'SIGTERM');
    await until('the end of the daemon', () => !existsSync(`/proc/${pid}`));
  });
});
