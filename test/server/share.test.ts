/** `share`: what starts a helper and a 9P server, and what becomes of them. */
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import { hostForTest, PATIENCE } from '../../harness/mounting-host.js';
import { socketpair } from '../../harness/libc.js';
import { NinepClient } from '../../harness/ninep-client.js';
import { NotifySocket } from '../../harness/notify-socket.js';
import { Installation } from '../../harness/ordinary-user.js';
import { exportForTest } from '../../harness/tree.js';
import { open, Scene } from './acceptance/scene.js';
import {
  attached,
  expectGone,
  ofThreads,
  sharedForTest,
  ShareProcess,
  socketPathForTest,
} from '../../harness/share-process.js';

const skipped = whyNotRoot();
const suffix = skipped === undefined ? '' : ` (${skipped})`;

describe.skipIf(skipped !== undefined)(`share${suffix}`, () => {
  it('serves one guest, and ends when that leaves', async () => {
    const { share, path, directory } = await sharedForTest();
    expect([share.helpers(), share.servers()].map((pids) => pids.length)).toEqual([1, 1]);
    const client = await attached(path);
    const attributes = await client.request('Tgetattr', { fid: 0, mask: 0x7ff });
    expect((attributes as { uid: number }).uid).toBe(statSync(directory).uid);
    const second = connect(path);
    const refused = vi.fn();
    second.on('error', refused).on('close', refused);
    await vi.waitFor(() => {
      expect(refused).toHaveBeenCalled();
    });
    const pids = share.remember();
    client.close();
    expect(await share.end()).toMatchObject({ status: 0, report: 'ready\n' });
    await expectGone(pids);
    expect(share.stderr).toContain('the client has left');
    expect(share.stderr).not.toContain('not shared any more');
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  it('knows open files of every file system in the export, also those mounted later and unlinked', async () => {
    const host = await hostForTest();
    const directory = exportForTest();
    host.run(`cd ${directory}; mkdir disk later; mount -t tmpfs disk disk`);
    const path = socketPathForTest();
    const share = new ShareProcess([`--path=${directory}`, `--listen=unix:${path}`], { wrapper: host.enter });
    await share.ready();
    const scene = await Scene.enter({
      export: directory,
      connect: () => NinepClient.connect({ path }),
      stop: () => Promise.resolve(),
    });
    host.run(`mount -t tmpfs later ${directory}/later; touch ${directory}/later/there`);
    await vi.waitFor(() => scene.walk(['later', 'there'], scene.root), PATIENCE);
    for (const name of ['disk', 'later']) {
      const place = await scene.walk([name], scene.root);
      const fid = await scene.walk([], place);
      await scene.client.request('Tlcreate', { fid, name: 'file', flags: open.RDWR, mode: 0o644, gid: 0 });
      await scene.client.request('Tunlinkat', { dirfd: place, name: 'file', flags: 0 });
      await scene.setattr(fid, { mode: 0o600, size: 9 });
      const { mode, size } = await scene.getattr(fid);
      expect([mode & 0o777, size]).toEqual([0o600, 9n]);
      for (const process of [1, 2]) {
        const fields = { type: 0, flags: 0, start: 0, length: 0, proc_id: process, client_id: 'guest' };
        expect(await scene.client.request('Tlock', { fid, ...fields })).toMatchObject({ status: 0 });
      }
    }
    scene.leave().close();
  });

  it("starts where Node does not change the process' ids: Debian 13's refuses, for its libuv may use io_uring", async () => {
    const preload = join(exportForTest(), 'preload.cjs');
    writeFileSync(
      preload,
      `for (const name of ['setgroups', 'initgroups', 'setgid', 'setuid', 'setegid', 'seteuid'])
        process[name] = () => { throw new Error(name + '() disabled: io_uring may be enabled') };`,
    );
    const path = socketPathForTest();
    const share = new ShareProcess([`--path=${exportForTest()}`, `--listen=unix:${path}`], {
      wrapper: ['setpriv', '--groups=1,2'],
      env: { ...process.env, NODE_OPTIONS: `--require ${preload}` },
    });
    await share.ready();
    await attached(path);
    for (const pid of [...share.helpers(), ...share.servers()])
      expect(new Set(ofThreads(pid, 'Groups'))).toEqual(new Set(['']));
    for (const pid of share.servers())
      expect(new Set(ofThreads(pid, 'Uid'))).toEqual(new Set(['65534\t65534\t65534\t65534']));
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'ends at %s, before and while it serves',
    async (signal) => {
      for (const serves of [false, true]) {
        const { share, path } = await sharedForTest();
        const pids = share.remember();
        if (serves) await attached(path);
        share.child.kill(signal);
        expect(await share.end()).toMatchObject({ status: 0, signal: null });
        await expectGone(pids);
      }
    },
  );

  it('ends when the helper is killed, with the reason, where no other one may take its place', async () => {
    const { share, path } = await sharedForTest('--helper-restarts=0');
    await attached(path);
    const pids = share.remember();
    process.kill(share.helpers()[0]!, 'SIGKILL');
    const { status, stderr } = await share.end();
    expect(status).toBe(1);
    expect(stderr).toMatch(/^virtfs-proxy-helper: the helper ended \(SIGKILL\): .* is not shared any more$/m);
    await expectGone(pids);
  });

  it('ends when the server is killed, with the reason, and takes the helper along', async () => {
    const { share, path } = await sharedForTest();
    await attached(path);
    const pids = share.remember();
    process.kill(share.servers()[0]!, 'SIGKILL');
    const { status, stderr } = await share.end();
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^virtfs-proxy-helper: the 9P server ended \(SIGKILL\): .* is not shared any more$/m,
    );
    await expectGone(pids);
  });

  it('leaves nothing behind when it is killed itself', async () => {
    const { share, path } = await sharedForTest();
    await attached(path);
    const pids = share.remember();
    share.child.kill('SIGKILL');
    await expectGone(pids);
  });

  it('ends with status 3 when the guest breaks the protocol', async () => {
    const { share, path } = await sharedForTest();
    const client = await NinepClient.connect({ path });
    client.write(Buffer.from('GET / HTTP/1.0\r\n\r\n'));
    expect(await share.end()).toMatchObject({ status: 3 });
    expect(share.stderr).toContain('the client broke the protocol');
    client.close();
  });

  it('serves a socket that it inherits, also one that is connected', async () => {
    const directory = exportForTest();
    const [ours, theirs] = socketpair();
    const share = new ShareProcess([`--path=${directory}`, '--listen=fd:4'], { socket: theirs });
    await share.ready();
    const client = new NinepClient(new Socket({ fd: ours }));
    await client.version();
    await client.attach(0);
    client.close();
    expect(await share.end()).toMatchObject({ status: 0 });
  });

  it('serves over TCP of this machine', async () => {
    const port = 20_000 + Math.trunc(Math.random() * 10_000);
    const share = new ShareProcess([`--path=${exportForTest()}`, `--listen=tcp:[::1]:${port}`]);
    await share.ready();
    const client = await NinepClient.connect({ host: '::1', port });
    await client.version();
    await client.attach(0);
    client.close();
    expect(await share.end()).toMatchObject({ status: 0 });
  });

  it('tells a service manager when it is ready, what it does, and that it stops', async () => {
    const path = socketPathForTest();
    const notify = new NotifySocket(join(exportForTest(), 'notify'));
    const args = [`--path=${exportForTest()}`, `--listen=unix:${path}`];
    const share = new ShareProcess(args, { env: { ...process.env, NOTIFY_SOCKET: notify.address } });
    await notify.has('READY=1');
    await notify.has('STATUS=sharing');
    share.child.kill('SIGTERM');
    await notify.has('STOPPING=1');
    expect(await share.end()).toMatchObject({ status: 0 });
    expect(notify.messages.filter((message) => message === 'READY=1')).toHaveLength(1);
  });

  it('passes the options of the helper on', async () => {
    const { share, path } = await sharedForTest('--readonly', '--log-level=debug', '--log-format=json');
    const client = await attached(path);
    await client.request('Twalk', { fid: 0, newfid: 1, names: [] });
    const made = client.outcome('Tlcreate', {
      fid: 1,
      name: Buffer.from('new'),
      flags: 0o102,
      mode: 0o644,
      gid: 0,
    });
    expect(await made).toBe('EROFS');
    client.close();
    const { stderr } = await share.end();
    expect(
      stderr
        .trim()
        .split('\n')
        .map((line) => typeof JSON.parse(line)),
    ).not.toContain('undefined');
  });

  it.each([
    [['--listen=tcp:0.0.0.0:564'], '9P has no authentication'],
    [['--listen=udp:127.0.0.1:1'], 'must be unix:PATH'],
    [['--listen=fd:77'], 'no such descriptor was passed', 1],
    [['--listen=unix:/nowhere/socket'], 'no such file or directory', 1],
    [[], '--listen is required'],
    [['--listen=vsock:564', '--uid=0'], '--uid is only for --listen unix:'],
    [['--listen=vsock:564', '--allow-cid=x'], '--allow-cid x: must be a number'],
    [['--listen=vsock:564', '--msize=7'], '--msize 7: must be a number from 4096'],
    [['--listen=vsock:564', '--max-fids=0'], '--max-fids 0: must be a number'],
    [['--listen=vsock:564', '--msize=4096', '--msize=8192'], '--msize is given twice'],
    [['--listen=vsock:40999', '--run-as=no-such-user'], 'there is no such user'],
    [['--listen=vsock:40999', '--run-as=0'], 'the server must not be root'],
    [['--listen=vsock:40999', '--security-model=nonsense'], 'must be one of passthrough'],
    [['--listen=vsock:40999', '--socket=/x'], 'unknown option --socket'],
    [['--listen=vsock:40999', 'operand'], 'unexpected argument operand'],
  ] as [string[], string, number?][])('refuses %j in one line', async (options, reason, status = 2) => {
    const share = new ShareProcess([`--path=${exportForTest()}`, ...options]);
    const end = await share.end();
    expect(end.report + end.stderr).toContain(reason);
    expect((end.report + end.stderr).trim().split('\n')).toHaveLength(1);
    expect(end.status).toBe(status);
  });

  it('tells why the helper does not start, and has the server not start either', async () => {
    const path = socketPathForTest();
    const share = new ShareProcess(['--path=/nowhere', `--listen=unix:${path}`]);
    const { status, report, stderr } = await share.end();
    expect(readdirSync(dirname(path))).toEqual([]);
    expect([status, report, stderr]).toEqual([1, expect.stringContaining('cannot export /nowhere'), '']);
  });

  it('does not start with more open files than the kernel allows, and raises its own limit', async () => {
    const started = (options: readonly string[], limit: string): ShareProcess =>
      new ShareProcess([`--path=${exportForTest()}`, `--listen=unix:${socketPathForTest()}`, ...options], {
        wrapper: ['prlimit', `--nofile=${limit}`],
      });
    const { status, code, report } = await started(['--max-open=4096'], '1024:4096').end();
    expect([status, code]).toEqual([1, 'open-files-too-few']);
    expect(report).toContain('--max-open 4096 needs a limit of at least 4160 open files, not 4096');
    const share = await started(['--max-open=4000'], '1024:4096').ready();
    for (const pid of share.servers())
      expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max open files +4096 +4096 /m);
  });

  it('tells which user cannot read the program', async () => {
    const installation = new Installation();
    onTestFinished(() => {
      installation.remove();
    });
    chmodSync(dirname(dirname(installation.program)), 0o700);
    const args = [`--path=${exportForTest()}`, `--listen=unix:${socketPathForTest()}`];
    const { status, report, code } = await new ShareProcess(args, { program: installation.program }).end();
    expect([status, code]).toEqual([1, 'program-unreadable']);
    expect(report).toMatch(
      /^user 65534 cannot read .*p9-server\.js \(EACCES\): install it where everybody can/,
    );
  });
});
