/** What a running helper tells of itself: real requests, then the status command in all its formats. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  commandLine,
  helperForTest,
  OURS,
  type Session,
  sessionForTest,
  whyNotRoot,
} from '../../harness/helper-process.js';
import { requests } from '../../harness/requests.js';
import { controlPathForTest, status, statusJson } from '../../harness/status-command.js';
import { exportForTest } from '../../harness/tree.js';

const skipped = whyNotRoot();
const root = { uid: 0, gid: 0 };
const NOBODY = 65_534;

interface Watched extends Session {
  readonly directory: string;
  readonly control: string;
}

function watchedSession(args: readonly string[] = []): Watched {
  const control = controlPathForTest();
  const directory = exportForTest();
  return { directory, control, ...sessionForTest(directory, { args: ['--control', control, ...args] }) };
}

/** A few requests, two of them in vain, of which one opens a file. */
function work({ client }: Session): void {
  for (let turn = 0; turn < 5; turn++) expect(client.request(requests.lstat('/')).errno).toBe(0);
  expect(client.request(requests.lstat('/missing')).errno).not.toBe(0);
  expect(client.request(requests.mkdir(root, '/made', 0o755)).errno).toBe(0);
  expect(client.request(requests.mkdir(root, '/made', 0o755)).errno).not.toBe(0);
  const { descriptor } = client.request(requests.create('/file', 0o102, 0o644, root));
  expect(descriptor).toBeDefined();
  closeSync(descriptor ?? -1);
}

describe.skipIf(skipped !== undefined)('the status of a helper', () => {
  it('counts requests, errors, bytes, descriptors and latencies by operation', () => {
    const session = watchedSession();
    work(session);
    const { control, directory, helper } = session;
    const counters = statusJson(control);
    expect(counters).toMatchObject({
      socket: control,
      pid: helper.pid,
      export: directory,
      readOnly: false,
      client: { pid: process.pid, uid: 0 },
      descriptors: { passed: 1, held: 0 },
    });
    expect(counters.uptime).toBeGreaterThan(0);
    const { lstat, mkdir, create, ...others } = counters.operations;
    expect(lstat).toMatchObject({
      requests: 6,
      errors: 1,
      bytesReceived: 5 * requests.lstat('/').length + requests.lstat('/missing').length,
      // 124 bytes with the struct, 12 with an errno
      bytesSent: 5 * 124 + 12,
    });
    expect(mkdir).toMatchObject({ requests: 2, errors: 1, bytesSent: 24 });
    expect(create).toMatchObject({ requests: 1, errors: 0, bytesSent: 4 });
    for (const operation of [lstat, mkdir, create]) {
      if (operation === undefined) expect.fail('an operation is not counted');
      const { count, sum, p50, p90, p99, below } = operation.latency;
      expect(count).toBe(operation.requests);
      expect([p50, p90, p99]).toEqual([p50, p90, p99].sort((one, other) => one - other));
      expect(p50).toBeGreaterThan(0);
      expect(sum / count).toBeLessThanOrEqual(p99);
      expect(below).toEqual([...below].sort((one, other) => one - other));
      expect(below.at(-1)).toBe(count);
    }
    expect(new Set(Object.values(others).map((operation) => operation?.requests))).toEqual(new Set([0]));
  });

  it('is a table for people', () => {
    const session = watchedSession(['--readonly']);
    expect(session.client.request(requests.lstat('/')).errno).toBe(0);
    const { status: exit, stdout, stderr } = status([session.control]);
    expect([exit, stderr]).toEqual([0, '']);
    expect(stdout).toContain(
      `${session.control}: pid ${session.helper.pid} serves pid ${process.pid} (uid 0), up 00:00:0`,
    );
    expect(stdout).toContain(`export: ${session.directory} (read-only)\n`);
    expect(stdout).toMatch(/^operation +requests +errors +p50 +p90 +p99 /m);
    expect(stdout).toMatch(/^lstat +1 +0 +\d+ +\d+ +\d+$/m);
    expect(stdout).not.toMatch(/^mkdir/m);
  });

  it('is shown again and again by --watch until the helper ends', async () => {
    const session = watchedSession();
    work(session);
    const [command, args] = commandLine(OURS, ['status', '--watch', session.control]);
    const watching = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    onTestFinished(() => void watching.kill('SIGKILL'));
    let shown = '';
    let complaint = '';
    watching.stdout.on('data', (chunk) => (shown += String(chunk)));
    watching.stderr.on('data', (chunk) => (complaint += String(chunk)));
    await expect.poll(() => shown.match(/^lstat +6 +1 /gm)?.length, { timeout: 10_000 }).toBe(2);
    session.client.close();
    await session.helper.exit();
    const [exit] = (await once(watching, 'close')) as [number];
    expect([exit, complaint]).toEqual([
      1,
      `virtfs-proxy-helper: ${session.control}: the helper has ended; its socket is left\n`,
    ]);
  });

  it('tells of a helper that waits for its client', async () => {
    const control = controlPathForTest();
    const socket = controlPathForTest('client');
    helperForTest(['-n', '-p', exportForTest(), '-s', socket, '--control', control]);
    await expect.poll(() => existsSync(control), { timeout: 5_000 }).toBe(true);
    expect(statusJson(control).client).toBeNull();
    expect(status([control]).stdout).toContain('waits for its client');
    // asking the wrong socket is no client
    expect(status([socket])).toMatchObject({ status: 1, stdout: '' });
    expect(status([socket]).stderr).toContain('not the one of --control');
    expect(statusJson(control).client).toBeNull();
  });

  it('tells what a client that does not read has not taken, and does not wait for it', () => {
    const session = watchedSession();
    writeFileSync(join(session.directory, 'file'), '');
    const open = requests.open('/file', 0);
    expect(session.client.request(requests.lstat('/')).errno).toBe(0);
    for (let idle = 0; idle < 50;) {
      if (session.client.trySend(open)) idle = 0;
      else {
        idle++;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      }
    }
    const { descriptors, operations } = statusJson(session.control);
    expect(descriptors.held).toBe(1);
    expect(descriptors.passed).toBeGreaterThan(10);
    expect(operations['open']?.requests).toBe(descriptors.passed + 1);
  });

  it('is nobody else’s business than root’s', () => {
    const session = watchedSession();
    work(session);
    expect(statSync(session.control).mode & 0o7777).toBe(0o600);
    expect(statSync(session.control).uid).toBe(0);
    // everybody may pass through the directory
    spawnSync('chmod', ['0755', join(session.control, '..')]);
    const { stdout, stderr } = status([session.control], NOBODY);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^virtfs-proxy-helper: [^\n]*permission denied \(EACCES\)\n$/);
  });

  it.each<[number, RegExp, string[]]>([
    [2, /unknown option --bogus/, ['--bogus', '/run/x']],
    [2, /exclude each other/, ['--json', '--openmetrics', '/run/x']],
    [2, /longer than the 107 bytes/, [`/${'x'.repeat(107)}`]],
    [1, /no such file or directory/, ['/nosuchdir/control']],
  ])('ends with %i and one line saying %s', (exit, reason, args) => {
    const shown = status(args);
    expect(shown).toMatchObject({ status: exit, stdout: '' });
    expect(shown.stderr).toMatch(/^virtfs-proxy-helper: [^\n]+\n$/);
    expect(shown.stderr).toMatch(reason);
  });
});

describe.skipIf(skipped !== undefined)('the control socket', () => {
  it('that a helper left is taken by the next', async () => {
    const first = watchedSession();
    work(first);
    first.client.close();
    await first.helper.exit();
    expect(existsSync(first.control)).toBe(true);
    const second = sessionForTest(first.directory, { args: ['--control', first.control] });
    expect(second.client.request(requests.lstat('/')).errno).toBe(0);
    expect(statusJson(first.control).pid).toBe(second.helper.pid);
  });

  it('of a living helper is not taken', async () => {
    const first = watchedSession();
    work(first);
    const second = sessionForTest(first.directory, { args: ['--control', first.control] });
    const { status: exit, stderr } = await second.helper.exit();
    expect([exit, stderr]).toEqual([
      1,
      `virtfs-proxy-helper: cannot create the control socket ${first.control}: another process uses it [already-in-use]\n`,
    ]);
    expect(statusJson(first.control).pid).toBe(first.helper.pid);
  });

  it('is not made where something else is, or where there is no directory', async () => {
    const path = controlPathForTest();
    writeFileSync(path, 'precious');
    const directory = exportForTest();
    const taken = await sessionForTest(directory, { args: ['--control', path] }).helper.exit();
    expect([taken.status, taken.stderr]).toEqual([1, expect.stringContaining('something else is there')]);
    expect(statSync(path).size).toBe(8);
    const lost = await sessionForTest(directory, { args: ['--control', '/nosuchdir/x'] }).helper.exit();
    expect([lost.status, lost.stderr]).toEqual([
      1,
      'virtfs-proxy-helper: cannot create the control socket /nosuchdir/x: no such file or directory (ENOENT) [file-not-created]\n',
    ]);
  });
});
