/** `status` without a socket: the helpers of the machine, of which other tests run some, too. */
import { spawn, spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { helperForTest, OURS, sessionForTest, whyNotRoot } from '../../harness/helper-process.js';
import { patience } from '../../harness/patience.js';
import { requests } from '../../harness/requests.js';
import { controlPathForTest, status } from '../../harness/status-command.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of finding helpers skipped: ${skipped}`);

interface Line {
  readonly socket: string | null;
  readonly pid: number;
  readonly export?: string;
  readonly listensFor?: string;
}

/** What is known of some processes. */
function known(...pids: readonly number[]): Line[] {
  const { stdout } = status(['--json']);
  const lines = stdout.trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Line).filter(({ pid }) => pids.includes(pid));
}

describe.skipIf(skipped !== undefined)('status without a socket', () => {
  it('shows helpers with --control and without, wherever their sockets are', () => {
    const control = controlPathForTest('a b=c');
    const directory = exportForTest();
    const told = sessionForTest(directory, { args: ['--control', control] });
    const silent = sessionForTest(exportForTest());
    for (const { client } of [told, silent]) expect(client.request(requests.lstat('/')).errno).toBe(0);
    expect(known(told.helper.pid, silent.helper.pid)).toEqual([
      { socket: null, pid: silent.helper.pid },
      expect.objectContaining({ socket: control, pid: told.helper.pid, export: directory }),
    ]);
    const { stdout } = status([]);
    expect(stdout).toContain(`${control}: pid ${told.helper.pid} serves pid ${process.pid} (uid 0)`);
    expect(stdout).toContain(`pid ${silent.helper.pid}: tells nothing of itself`);
  });

  it('asks no other process that answers at the path of one', async () => {
    const control = controlPathForTest();
    const first = sessionForTest(exportForTest(), { args: ['--control', control] });
    expect(first.client.request(requests.lstat('/')).errno).toBe(0);
    spawnSync('mv', [control, `${control}.old`]);
    const second = sessionForTest(exportForTest(), { args: ['--control', control] });
    expect(second.client.request(requests.lstat('/')).errno).toBe(0);
    expect(known(first.helper.pid, second.helper.pid)).toEqual([
      expect.objectContaining({ socket: control, pid: second.helper.pid }),
    ]);
    expect(status([]).stderr).toContain(
      `${control}: another process answers there, not pid ${first.helper.pid}`,
    );
    first.client.close();
    await first.helper.exit();
  });

  it('shows a listener with its clients, and so does its own --control path', async () => {
    const directory = exportForTest();
    const path = controlPathForTest('socket');
    const control = controlPathForTest();
    const args = ['-n', '-p', directory, '-s', path, '--keep-listening', '--control', control];
    const listener = helperForTest(args);
    // the socket is there before the program that listens
    await expect
      .poll(() => status([]).stdout, { timeout: 10_000 * patience })
      .toContain(`pid ${listener.pid} listens for clients of ${directory}, and serves none now`);
    const clients = [WireClient.connect(path), WireClient.connect(path)];
    onTestFinished(() => {
      for (const client of clients) client.close();
    });
    for (const client of clients) expect(client.request(requests.lstat('/')).errno).toBe(0);
    expect(status([]).stdout).toMatch(
      new RegExp(`^pid ${listener.pid} listens for clients of ${directory}, and serves pid \\d+, \\d+$`, 'm'),
    );
    const named = status([control]);
    expect([named.status, named.stderr]).toEqual([0, '']);
    for (const number of [1, 2]) expect(named.stdout).toContain(`${control}.${number}: pid `);
  });

  it('is drawn over what was there on a terminal, and clears no history', async () => {
    const control = controlPathForTest();
    const session = sessionForTest(exportForTest(), { args: ['--control', control] });
    expect(session.client.request(requests.lstat('/')).errno).toBe(0);
    const words = `${process.execPath} ${OURS} status --watch ${control}`;
    const terminal = spawn('script', ['-qec', `stty rows 8 cols 80; exec ${words}`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      cwd: dirname(control),
    });
    onTestFinished(() => void terminal.kill('SIGKILL'));
    let shown = '';
    terminal.stdout.on('data', (chunk) => (shown += String(chunk)));
    await expect.poll(() => shown.split('\x1b[H').length, { timeout: 15_000 }).toBeGreaterThan(2);
    expect(shown).not.toContain('\x1b[3J');
    const [, first = ''] = shown.split('\x1b[H');
    expect(first).toContain(`pid ${session.helper.pid} serves`);
    expect(first.split('\n').length - 1).toBeLessThan(8);
    session.client.close();
  });
});
