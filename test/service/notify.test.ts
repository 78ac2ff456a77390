/** What the helper tells a service manager (sd_notify). */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { notifyChannel, Notifier } from '../../src/service/notifications.js';
import { commandLine, helperForTest, OURS, type Session, whyNotRoot } from '../../harness/helper-process.js';
import { fillDatagrams } from '../../harness/libc.js';
import { NotifySocket } from '../../harness/notify-socket.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';

const skipped = whyNotRoot();
/** Short, so that a test sees a few of them; ours comes at half of it. */
const WATCHDOG_USEC = '200000';

const addresses = (directory: string): [string, string][] => [
  ['a path', join(directory, 'notify')],
  ['an abstract name', `@virtfs-test-${process.pid}`],
];

/** A helper on a connected descriptor, with a service manager. */
function start(env: NodeJS.ProcessEnv, directory = exportForTest()): Session {
  const { client, peer } = WireClient.pair();
  const helper = helperForTest(['-n', '-p', directory, '-f', '3'], {
    inherit: [peer],
    env: { ...process.env, ...env },
  });
  onTestFinished(() => {
    client.close();
  });
  return { helper, client };
}

describe.skipIf(skipped !== undefined)('a service manager', () => {
  it.each(addresses('').map(([what], index) => [what, index] as const))(
    'that is reached by %s hears of the start, the client and the end',
    async (_what, index) => {
      const directory = exportForTest();
      const manager = new NotifySocket(addresses(directory)[index]![1]);
      const path = join(directory, 'socket');
      const helper = helperForTest(['-n', '-p', directory, '-s', path], {
        env: { ...process.env, NOTIFY_SOCKET: manager.address },
      });
      await manager.has('READY=1');
      expect(manager.messages).toEqual([`STATUS=waiting for a client of ${directory}`, 'READY=1']);
      const client = WireClient.connect(path);
      // READY means that a client can come at once, and the root is changed by then
      expect(client.request(requests.lstat('/')).errno).toBe(0);
      expect(await manager.has('STATUS=serving')).toBe(
        `STATUS=serving ${directory} to uid 0, 0 requests so far`,
      );
      client.close();
      expect((await helper.exit()).status).toBe(0);
      await manager.has('STOPPING=1');
    },
  );

  it('hears how many requests there were, once in a while and only after some', async () => {
    const directory = exportForTest();
    const manager = new NotifySocket(join(directory, 'notify'));
    const { client } = start({ NOTIFY_SOCKET: manager.address }, directory);
    await manager.has('READY=1');
    for (let request = 0; request < 7; request++) client.request(requests.lstat('/'));
    manager.next();
    expect(await manager.has('STATUS=', 20_000)).toContain('7 requests so far');
    expect(manager.messages.length).toBe(1);
  });

  it('that does not read keeps nothing from its start, and hears of it later', async () => {
    const directory = exportForTest();
    const manager = new NotifySocket(join(directory, 'notify'));
    const sent = fillDatagrams(manager.address);
    const { client, helper } = start({ NOTIFY_SOCKET: manager.address }, directory);
    expect(client.request(requests.lstat('/')).errno, helper.stderr()).toBe(0);
    await wait(300);
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    await manager.has('READY=1');
    expect(manager.messages.filter((message) => message === 'READY=1')).toHaveLength(1);
    expect(sent).toBeGreaterThan(0);
  });

  it('that does not read keeps no daemon from its start', () => {
    const directory = exportForTest();
    const manager = new NotifySocket(join(directory, 'notify'));
    fillDatagrams(manager.address);
    const pidfile = join(directory, 'pid');
    const [command, args] = commandLine(OURS, [
      '-p',
      directory,
      '-s',
      join(directory, 'socket'),
      '--pidfile',
      pidfile,
    ]);
    const env = { ...process.env, NOTIFY_SOCKET: manager.address };
    const { status, stderr } = spawnSync(command, args, { encoding: 'utf8', env, timeout: 20_000 });
    expect([status, stderr]).toEqual([0, '']);
    process.kill(Number(readFileSync(pidfile, 'utf8')), 'SIGTERM');
  });

  it('hears of the end by a signal, which is exit status 0', async () => {
    const directory = exportForTest();
    const manager = new NotifySocket(join(directory, 'notify'));
    const { helper } = start({ NOTIFY_SOCKET: manager.address }, directory);
    await manager.has('READY=1');
    helper.child.kill('SIGTERM');
    expect((await helper.exit()).status).toBe(0);
    await manager.has('STOPPING=1');
  });

  it('hears from a daemon, and which process it is', async () => {
    const directory = exportForTest();
    const path = join(directory, 'socket');
    const manager = new NotifySocket(join(directory, 'notify'));
    const [command, args] = commandLine(OURS, ['-p', directory, '-s', path]);
    const { status, stderr } = spawnSync(command, args, {
      encoding: 'utf8',
      env: { ...process.env, NOTIFY_SOCKET: manager.address },
    });
    expect([status, stderr]).toEqual([0, '']);
    const client = WireClient.connect(path);
    // the process that made the socket is the daemon's parent, which is gone: ask for the one that serves
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    await manager.has('READY=1');
    expect(manager.messages.indexOf('READY=1')).toBeGreaterThan(
      manager.messages.findIndex((text) => text.startsWith('MAINPID=')),
    );
    const pid = (await manager.has('MAINPID=')).slice('MAINPID='.length);
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toContain('virtfs-proxy-helper');
    client.close();
    await manager.has('STOPPING=1');
  });

  it('hears only what it should where a path has a line break', async () => {
    const directory = join(exportForTest(), 'a\nMAINPID=1');
    spawnSync('mkdir', [directory]);
    const manager = new NotifySocket(`@virtfs-test-break-${process.pid}`);
    start({ NOTIFY_SOCKET: manager.address }, directory);
    await manager.has('READY=1');
    expect(manager.messages.length).toBe(2);
  });

  it('that is not there is told on stderr, and the share is served', () => {
    const { client, helper } = start({ NOTIFY_SOCKET: '/nonexistent/notify' });
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    expect(helper.stderr()).toContain(
      'cannot reach the service manager at NOTIFY_SOCKET=/nonexistent/notify: no such file or directory (ENOENT)\n',
    );
  });

  it('is known to the helper alone: no variable is left, and one descriptor', async () => {
    const directory = exportForTest();
    const manager = new NotifySocket(join(directory, 'notify'));
    const { helper } = start({ NOTIFY_SOCKET: manager.address, WATCHDOG_USEC, LISTEN_FDS: '1' }, directory);
    await manager.has('READY=1');
    expect(readFileSync(`/proc/${helper.pid}/environ`, 'utf8')).not.toMatch(/NOTIFY|WATCHDOG|LISTEN/);
    const sockets = readdirSync(`/proc/${helper.pid}/fd`)
      .map((fd) => readlinkSync(`/proc/${helper.pid}/fd/${fd}`))
      .filter((target) => target.startsWith('socket:'));
    expect(sockets.length).toBe(2);
  });
});

describe.skipIf(skipped !== undefined)('the watchdog', () => {
  /** Messages until now, and those of a while. */
  async function fedFor(manager: NotifySocket, milliseconds: number): Promise<boolean> {
    manager.next();
    await wait(milliseconds);
    return manager.next().includes('WATCHDOG=1');
  }

  it('is fed while idle and while busy, and not by a process that is stopped', async () => {
    const directory = exportForTest();
    const manager = new NotifySocket(join(directory, 'notify'));
    const { client, helper } = start({ NOTIFY_SOCKET: manager.address, WATCHDOG_USEC }, directory);
    await manager.has('READY=1');
    expect(await fedFor(manager, 1_000)).toBe(true);

    manager.next();
    const lstat = requests.lstat('/');
    for (const end = Date.now() + 1_000; Date.now() < end;) client.request(lstat);
    expect(manager.next()).toContain('WATCHDOG=1');

    helper.child.kill('SIGSTOP');
    await wait(100);
    expect(await fedFor(manager, 1_000)).toBe(false);
    helper.child.kill('SIGCONT');
    await manager.has('WATCHDOG=1');
  });

  it.each([
    ['it is meant for another process', { WATCHDOG_USEC, WATCHDOG_PID: '1' }],
    ['nobody asked for it', {}],
  ])('is not fed when %s', async (_why, env) => {
    const directory = exportForTest();
    const manager = new NotifySocket(join(directory, 'notify'));
    start({ NOTIFY_SOCKET: manager.address, ...env }, directory);
    await manager.has('READY=1');
    expect(await fedFor(manager, 600)).toBe(false);
  });
});

it('a service manager hears a status once, however often it is told', async () => {
  const manager = new NotifySocket(join(exportForTest(), 'notify'));
  const notifier = new Notifier(
    notifyChannel({ NOTIFY_SOCKET: manager.address }, process.pid, (reason) => expect.fail(reason)),
  );
  for (const text of ['a', 'a', 'a', 'b', 'a']) notifier.status(text);
  notifier.stopping();
  await manager.has('STOPPING=1');
  expect(manager.messages).toEqual(['STATUS=a', 'STATUS=b', 'STATUS=a', 'STOPPING=1']);
});
