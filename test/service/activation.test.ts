/** Socket activation: systemd makes the socket and passes it. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  commandLine,
  type HelperProcess,
  helperForTest,
  OURS,
  whyNotRoot,
} from '../../harness/helper-process.js';
import { bindDatagrams, listenUnix } from '../../harness/libc.js';
import { requests, requestTypes } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';

const skipped = whyNotRoot();

/** As systemd does it: the pid is that of the process that becomes the helper. */
function activated(
  args: readonly string[],
  inherit: readonly number[],
  { count = String(inherit.length), pid = '$$', names = 'nine.socket' } = {},
): HelperProcess {
  return helperForTest(args, {
    inherit,
    wrapper: ['sh', '-c', `LISTEN_PID=${pid} exec "$@"`, 'sh'],
    env: { ...process.env, LISTEN_FDS: count, LISTEN_FDNAMES: names },
  });
}

async function untilThere(path: string): Promise<void> {
  for (let tries = 0; tries < 500 && !existsSync(path); tries++) await wait(10);
}

describe.skipIf(skipped !== undefined)('a socket from systemd', () => {
  it('may be listening: the first client is served, also one that came before the helper', async () => {
    const directory = exportForTest();
    const path = join(directory, 'socket');
    const listening = listenUnix(path);
    const client = WireClient.connect(path);
    client.send(requests.lstat('/'));
    const helper = activated(['-p', directory], [listening]);
    expect(client.receive(requestTypes.LSTAT).errno).toBe(0);
    client.close();
    const { status, stderr } = await helper.exit();
    expect([status, stderr]).toEqual([0, expect.stringContaining('the client has left')]);
  });

  it('may be accepted, as with Accept=yes', async () => {
    const { client, peer } = WireClient.pair();
    const helper = activated(['-p', exportForTest()], [peer]);
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    client.close();
    expect((await helper.exit()).status).toBe(0);
  });

  it('is left alone when an option says where the client comes from', async () => {
    const directory = exportForTest();
    const { client, peer } = WireClient.pair();
    const helper = activated(['-n', '-p', directory, '-f', '4'], [listenUnix(join(directory, 's')), peer]);
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    client.close();
    expect((await helper.exit()).status).toBe(0);
  });

  it.each([
    ['none', { count: '0' }, 2, 'systemd passed no socket (LISTEN_FDS)'],
    ['a number that is none', { count: 'many' }, 2, 'systemd passed no socket (LISTEN_FDS)'],
    ['two', { count: '2', names: 'a.socket:b.socket' }, 2, 'systemd passed 2 sockets (a.socket, b.socket)'],
    ['those of another process', { pid: '1' }, 2, 'one of --socket and --fd is required'],
  ])('is refused in one line: %s', async (_what, environment, status, reason) => {
    const helper = activated(['-p', exportForTest()], [WireClient.pair().peer], environment);
    const exit = await helper.exit();
    expect([exit.status, exit.stderr]).toEqual([status, expect.stringContaining(reason)]);
    expect(exit.stderr).toMatch(/^virtfs-proxy-helper: [^\n]+\n$/);
  });

  it('is refused when it is of another kind', async () => {
    const directory = exportForTest();
    const helper = activated(['-p', directory], [bindDatagrams(join(directory, 'datagrams'))]);
    expect(await helper.exit()).toEqual(
      expect.objectContaining({
        status: 1,
        stderr:
          'virtfs-proxy-helper: LISTEN_FDS, descriptor 3 (nine.socket): must be a connected or listening unix stream socket [socket-unsuitable]\n',
      }),
    );
  });
});

const noActivator = spawnSync('systemd-socket-activate', ['--version']).error?.message;
const whyNot =
  skipped ?? (noActivator === undefined ? undefined : `no systemd-socket-activate: ${noActivator}`);
if (whyNot !== undefined) console.warn(`tests with systemd-socket-activate skipped: ${whyNot}`);

describe.skipIf(whyNot !== undefined)('systemd-socket-activate', () => {
  it.each([
    ['one helper with the listening socket', []],
    ['a helper for each connection', ['--accept']],
  ])('starts %s', async (_what, mode) => {
    const directory = exportForTest();
    const path = join(directory, 'socket');
    const [command, args] = commandLine(OURS, ['-p', directory]);
    const activator = spawn('systemd-socket-activate', ['-l', path, ...mode, command, ...args], {
      stdio: 'ignore',
    });
    onTestFinished(() => void activator.kill('SIGKILL'));
    await untilThere(path);
    const client = WireClient.connect(path);
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    client.close();
  });
});
