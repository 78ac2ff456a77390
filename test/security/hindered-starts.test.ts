/** What another user of the host can do to keep a helper from starting where one ran before, and from coming back. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type HelperProcess,
  helperForTest,
  nobodyListens,
  sessionForTest,
} from '../../harness/helper-process.js';
import { asOrdinaryUser } from '../../harness/ordinary-user.js';
import { mknod } from '../../harness/libc.js';
import { pythonForTest } from '../../harness/python-program.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';
import { pause } from '../../harness/process-usage.js';
import { skipUnlessRoot } from '../../harness/root-only.js';

const skip = skipUnlessRoot('hindered starts');

async function until(what: string, condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !condition();) {
    if (Date.now() > end) throw new Error(`not in 10 seconds: ${what}`);
    await pause(10);
  }
}

const abstractSocket =
  's = socket.socket(socket.AF_UNIX); s.bind("\\0of another " + sys.argv[1]); s.listen()';
/** By a relative name, which /proc/net/unix then shows. */
const boundSocket = `directory, name = os.path.split(sys.argv[1])
os.chdir(directory); s = socket.socket(socket.AF_UNIX); s.bind(name); os.chmod(name, 0o770)`;
const fullBacklog = `${boundSocket}
s.listen(0); clients = [socket.socket(socket.AF_UNIX) for i in range(3)]
for c in clients: c.setblocking(False); c.connect_ex(name)`;
const lockedFile = 'f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX)';

/** A directory that everybody may look into, with a socket that a helper left behind when it was killed. */
async function staleSocket(...args: readonly string[]): Promise<{ path: string; serve: readonly string[] }> {
  const path = join(exportForTest(), 'socket');
  const serve = ['-n', '-p', exportForTest(), '-s', path, ...args];
  const helper = helperForTest(serve);
  const files = [path, ...args.filter((arg) => arg.startsWith('/'))];
  await until('the sockets', () => files.every((file) => existsSync(file)));
  await helper.stop();
  await nobodyListens(path);
  expect(existsSync(path)).toBe(true);
  return { path, serve };
}

/** Connects to a helper that is just starting, perhaps in the place of a socket that nobody has any more. */
async function connected(helper: HelperProcess, path: string): Promise<WireClient> {
  for (const end = Date.now() + 10_000; ;) {
    try {
      const client = WireClient.connect(path);
      onTestFinished(() => {
        client.close();
      });
      return client;
    } catch (error) {
      if (Date.now() > end || helper.child.exitCode !== null)
        throw new Error(`no start: ${helper.stderr()}`, { cause: error });
      await pause(10);
    }
  }
}

async function startsAndServes(serve: readonly string[], path: string): Promise<void> {
  const helper = helperForTest(serve);
  const client = await connected(helper, path);
  try {
    expect(client.request(requests.lstat('/')).errno).toBe(0);
  } catch (error) {
    throw new Error(`not served: ${helper.stderr()}`, { cause: error });
  }
}

describe.skipIf(skip)('a helper starts', () => {
  it('over a stale socket, though somebody has an abstract one whose name ends in the path', async () => {
    const { path, serve } = await staleSocket();
    await pythonForTest(asOrdinaryUser, abstractSocket, path);
    expect(readFileSync('/proc/net/unix', 'utf8')).toContain(`of another ${path}
`);
    await startsAndServes(serve, path);
  });

  // which libuv opens, for its first stream
  it('in an export with a /dev/null that nobody who opens it comes back from', async () => {
    const [directory, path] = [exportForTest(), join(exportForTest(), 'socket')];
    mkdirSync(join(directory, 'dev'));
    mknod(Buffer.from(join(directory, 'dev', 'null')), 0o010666, 0);
    await startsAndServes(['-n', '-p', directory, '-s', path], path);
  });

  it('again with --keep-listening, though a client of the listener that was killed lives on', async () => {
    const path = join(exportForTest(), 'socket');
    const serve = ['-n', '-p', exportForTest(), '-s', path, '--keep-listening'];
    const first = helperForTest(serve);
    const old = await connected(first, path);
    expect(old.request(requests.lstat('/')).errno).toBe(0);
    await first.stop();
    await startsAndServes(serve, path);
    expect(old.request(requests.lstat('/')).errno, 'the old client is still served').toBe(0);
  });

  it.each([
    ['is bound and does not listen yet', boundSocket],
    ['has a full backlog', fullBacklog],
  ])('or says that a socket is used which %s', async (_what, program) => {
    const path = join(exportForTest(), 'socket');
    await pythonForTest([], program, path);
    const { status, stderr, code } = await helperForTest(['-n', '-p', exportForTest(), '-s', path]).exit();
    expect([status, code, stderr]).toEqual([
      1,
      'already-in-use',
      expect.stringContaining('another process uses it'),
    ]);
    expect(lstatSync(path).isSocket()).toBe(true);
  });

  it('with a control socket, though somebody has an abstract one whose name ends in its path', async () => {
    const control = join(exportForTest(), 'control');
    const { serve } = await staleSocket('--control', control);
    await pythonForTest(asOrdinaryUser, abstractSocket, control);
    await startsAndServes(serve, serve[serve.indexOf('-s') + 1]!);
  });
});

describe.skipIf(skip)('a pidfile', () => {
  it('cannot be locked by anybody else', async () => {
    const pidfile = join(exportForTest(), 'pid');
    const first = sessionForTest(exportForTest(), { args: ['--pidfile', pidfile] });
    expect(first.client.request(requests.lstat('/')).errno).toBe(0);
    await first.helper.stop();
    const [program, ...args] = [...asOrdinaryUser, 'flock', '--nonblock', pidfile, 'true'];
    expect(spawnSync(program, args, { encoding: 'utf8' }).stderr).toContain('Permission denied');
    const next = sessionForTest(exportForTest(), { args: ['--pidfile', pidfile] });
    expect(next.client.request(requests.lstat('/')).errno).toBe(0);
    expect(readFileSync(pidfile, 'utf8')).toBe(`${next.helper.pid}\n`);
  });

  it('that everybody can read is taken over though somebody has locked it', async () => {
    const pidfile = join(exportForTest(), 'pid');
    writeFileSync(pidfile, '4194305\n', { mode: 0o644 });
    await pythonForTest(asOrdinaryUser, lockedFile, pidfile);
    const { client, helper } = sessionForTest(exportForTest(), { args: ['--pidfile', pidfile] });
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    expect(readFileSync(pidfile, 'utf8')).toBe(`${helper.pid}\n`);
    expect((lstatSync(pidfile).mode & 0o7777).toString(8)).toBe('600');
  });

  it('that everybody can read is still that of the helper which runs', async () => {
    const pidfile = join(exportForTest(), 'pid');
    const { client, helper } = sessionForTest(exportForTest(), { args: ['--pidfile', pidfile] });
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    chmodSync(pidfile, 0o644);
    const { peer, client: other } = WireClient.pair();
    const args = ['-n', '-p', exportForTest(), '-f', '3', '--pidfile', pidfile];
    const { status, stderr, code } = await helperForTest(args, { inherit: [peer] }).exit();
    other.close();
    expect([status, code, stderr]).toEqual([
      1,
      'already-in-use',
      expect.stringContaining(`a helper with pid ${helper.pid} has it`),
    ]);
  });

  it('is not made of a file that is something else', async () => {
    const pidfile = join(exportForTest(), 'pid');
    writeFileSync(pidfile, 'precious');
    const { peer, client } = WireClient.pair();
    const args = ['-n', '-p', exportForTest(), '-f', '3', '--pidfile', pidfile];
    const { status, stderr, code } = await helperForTest(args, { inherit: [peer] }).exit();
    client.close();
    expect([status, code, stderr]).toEqual([1, 'path-taken', expect.stringContaining('is not a pidfile')]);
    expect(readFileSync(pidfile, 'utf8')).toBe('precious');
  });
});
