/** `share` on a socket that somebody else made: a service manager (LISTEN_FDS), or whoever passes a descriptor. */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { umask } from '../../src/syscalls/files.js';
import { duplicate } from '../../src/syscalls/process.js';
import { helperNode } from '../../harness/guest/helper.js';
import { isAlive } from '../../harness/run-process.js';
import { connectAs } from '../../harness/connect-as.js';
import { OURS, whyNotRoot } from '../../harness/helper-process.js';
import { listenUnix, socketpair } from '../../harness/libc.js';
import { NinepClient } from '../../harness/ninep-client.js';
import { NotifySocket } from '../../harness/notify-socket.js';
import { patience } from '../../harness/patience.js';
import { exportForTest } from '../../harness/tree.js';
import { attached, ShareProcess, socketPathForTest } from '../../harness/share-process.js';
import { listening } from './sockets.js';

const skipped = whyNotRoot();
const suffix = skipped === undefined ? '' : ` (${skipped})`;
const STRANGER = 4711;

/** As systemd does it: the socket is descriptor 3, and the pid is that of the process that becomes the program. */
function activated(
  args: readonly string[],
  socket: number,
  { count = '1', pid = '$$', names = 'nine.socket', notify = '' } = {},
): ShareProcess {
  return new ShareProcess([`--path=${exportForTest()}`, ...args], {
    wrapper: ['sh', '-c', `exec 5>&3 3<&4 4<&-; LISTEN_PID=${pid} exec "$@"`, 'sh'],
    env: { ...process.env, LISTEN_FDS: count, LISTEN_FDNAMES: names, NOTIFY_SOCKET: notify },
    socket,
    readyDescriptor: 5,
  });
}

async function overTcp(port: number): Promise<NinepClient> {
  const client = await NinepClient.connect({ host: '127.0.0.1', port });
  onTestFinished(() => {
    client.close();
  });
  await client.version();
  await client.attach(0);
  return client;
}

const aPort = (): number => 20_000 + Math.trunc(Math.random() * 10_000);

describe.skipIf(skipped !== undefined)(`a socket that share is passed${suffix}`, () => {
  let before: number;
  beforeEach(() => {
    before = umask(0);
  });
  afterEach(() => {
    umask(before);
  });

  describe('by a service manager', () => {
    it('serves one guest, also one that came before, who hears of the start, and leaves the socket to it', async () => {
      const path = socketPathForTest();
      const notify = new NotifySocket(join(exportForTest(), 'notify'));
      const ours = listenUnix(path);
      onTestFinished(() => {
        closeSync(ours);
      });
      // a client of the backlog
      const early = attached(path);
      const share = activated([], duplicate(ours), { notify: notify.address });
      const client = await early;
      await notify.has('READY=1');
      await notify.has('STATUS=sharing');
      client.close();
      expect(await share.end()).toMatchObject({ status: 0, report: 'ready\n' });
      await notify.has('STOPPING=1');
      // systemd starts the next one for it
      expect(existsSync(path)).toBe(true);
      const waiting = attached(path);
      const next = activated([], duplicate(ours));
      (await waiting).close();
      expect(await next.end()).toMatchObject({ status: 0 });
    });

    it('serves client after client with --keep-listening, and leaves those who wait to the next one', async () => {
      const port = aPort();
      const ours = listening(`tcp:127.0.0.1:${port}`).descriptor;
      onTestFinished(() => {
        closeSync(ours);
      });
      const share = activated(['--keep-listening'], duplicate(ours));
      await share.ready();
      const [one, other] = [await overTcp(port), await overTcp(port)];
      one.close();
      await other.request('Tgetattr', { fid: 0, mask: 0x7ff });
      share.child.kill('SIGTERM');
      expect(await share.end()).toMatchObject({ status: 0 });
      const waiting = overTcp(port);
      const next = activated(['--keep-listening'], duplicate(ours));
      await waiting;
      next.child.kill('SIGTERM');
      expect(await next.end()).toMatchObject({ status: 0 });
    });

    it('may be connected, as with Accept=yes', async () => {
      const [ours, theirs] = socketpair();
      const share = activated([], theirs);
      const client = new NinepClient(new Socket({ fd: ours }));
      await client.version();
      await client.attach(0);
      client.close();
      expect(await share.end()).toMatchObject({ status: 0 });
    });

    it.each([
      ['none', { count: '0' }, 'systemd passed no socket (LISTEN_FDS)'],
      ['two', { count: '2', names: 'a:b' }, 'systemd passed 2 sockets (a, b) (LISTEN_FDS)'],
      ['those of another process', { pid: '1' }, '--listen is required'],
    ])('is refused in one line: %s', async (_what, environment, reason) => {
      const { status, stderr, report } = await activated([], socketpair()[0], environment).end();
      expect([status, report]).toEqual([2, '']);
      expect(stderr).toContain(reason);
      expect(stderr.trim().split('\n')).toHaveLength(1);
    });

    it('is left alone when --listen is given', async () => {
      const path = socketPathForTest();
      const share = activated([`--listen=unix:${path}`], socketpair()[0]);
      await share.ready();
      (await attached(path)).close();
      expect(await share.end()).toMatchObject({ status: 0 });
    });
  });

  describe('by its number', () => {
    it.each([
      ['by itself', []],
      ['with --allow-uid for others', ['--allow-uid=4712']],
      ['with --uid', ['--uid=4712']],
    ])('is connected by a stranger: %s', async (_what, options) => {
      // of a pair it is who made it
      process.seteuid!(STRANGER);
      const [ours, theirs] = socketpair();
      process.seteuid!(0);
      onTestFinished(() => {
        closeSync(ours);
      });
      const share = new ShareProcess([`--path=${exportForTest()}`, '--listen=fd:4', ...options], {
        socket: theirs,
      });
      if (options.length === 0) await share.ready();
      else {
        const { status, report } = await share.end();
        expect([status, report]).toEqual([
          1,
          '--listen fd:4: user 4711 may not connect; see --uid and --allow-uid [client-not-allowed]\n',
        ]);
      }
    });

    it('is connected by one of --allow-uid', async () => {
      process.seteuid!(STRANGER);
      const [ours, theirs] = socketpair();
      process.seteuid!(0);
      const options = { socket: theirs };
      const args = [`--path=${exportForTest()}`, '--listen=fd:4', `--allow-uid=${STRANGER}`];
      const share = new ShareProcess(args, options);
      const client = new NinepClient(new Socket({ fd: ours }));
      await client.version();
      client.close();
      expect(await share.end()).toMatchObject({ status: 0 });
    });

    it.each([[[]], [['--keep-listening']]])(
      'listens, and has strangers sent away with a line of the log: %j',
      async (mode) => {
        const path = socketPathForTest();
        spawnSync('chmod', ['755', join(path, '..')]);
        const socket = listenUnix(path);
        spawnSync('chmod', ['777', path]);
        const args = [`--path=${exportForTest()}`, '--listen=fd:4', `--allow-uid=${STRANGER}`, ...mode];
        const share = await new ShareProcess(args, { socket }).ready();
        expect(connectAs(4712, path)).toBe('refused');
        await share.said('refused a client that may not connect');
        expect(share.stderr).toMatch(/refused a client that may not connect.*uid=4712/);
        const client = await attached(path, STRANGER);
        client.close();
      },
    );

    it.each([
      ['--allow-cid=3', 'is no socket of vsock(7), which --allow-cid is for'],
      ['--allow-uid=3', 'is no socket of unix(7), which --allow-uid is for'],
      ['--uid=3', 'is no socket of unix(7), which --uid is for'],
    ])('is of a kind that %s says nothing of', async (option, reason) => {
      const { descriptor: socket } = listening(`tcp:127.0.0.1:${aPort()}`);
      const args = [`--path=${exportForTest()}`, '--listen=fd:4', option];
      const { status, report } = await new ShareProcess(args, { socket }).end();
      expect([status, report]).toEqual([2, expect.stringContaining(`--listen fd:4: ${reason}`)]);
    });
  });
});

const noActivator = spawnSync('systemd-socket-activate', ['--version']).error?.message;
const whyNot =
  skipped ?? (noActivator === undefined ? undefined : `no systemd-socket-activate: ${noActivator}`);
if (whyNot !== undefined) console.warn(`share with systemd-socket-activate skipped: ${whyNot}`);

describe.skipIf(whyNot !== undefined)('systemd-socket-activate', () => {
  it.each([
    ['the listening socket', []],
    ['a connection', ['--accept']],
  ])('starts a share with %s', async (_what, mode) => {
    const path = socketPathForTest();
    const words = [helperNode, OURS, 'share', `--path=${exportForTest()}`];
    const activator = spawn('systemd-socket-activate', ['-l', path, ...mode, ...words], { stdio: 'ignore' });
    onTestFinished(async () => {
      activator.kill('SIGTERM');
      await vi.waitFor(() => {
        expect(isAlive(activator.pid!)).toBe(false);
      }, 20_000 * patience);
    });
    await vi.waitFor(() => {
      expect(existsSync(path)).toBe(true);
    }, 10_000 * patience);
    (await attached(path)).close();
  });
});
