import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, openSync, readdirSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { childrenOf, isAlive, processState, startRun, until } from '../../harness/run-process.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of run skipped: ${skipped}`);

const { EROFS, ENOENT } = constants.errno;
const root = { uid: 0, gid: 0 };
const user = { uid: 1000, gid: 1001 };
const gone = async (pids: readonly number[]): Promise<void> => {
  await until(() => !pids.some(isAlive), `processes ${pids.join(', ')} are gone`);
};

describe.skipIf(skipped !== undefined)('run', () => {
  it('gives the command a connection to each share, and ends with its status when it ends', async () => {
    const [first, second] = [exportForTest(), exportForTest()];
    chmodSync(first, 0o777);
    writeFileSync(join(second, 'here'), '');
    const run = startRun(
      ['--log-level=warn', '--path', first, '--path', second, '--readonly'],
      ['id=a,sock_fd={fd}', '{fd2}', '{fd1}'],
    );
    const { arguments: words, descriptors, blocking } = await run.described();
    expect(words).toEqual(['id=a,sock_fd=3', '4', '3']);
    expect(descriptors).toEqual([0, 1, 2, 3, 4]);
    // QEMU takes a connection that does not wait for a broken one
    expect(blocking).toEqual([true, true]);

    expect(await run.request(3, requests.mkdir(user, '/made', 0o755))).toBe(0);
    expect(statSync(join(first, 'made'))).toMatchObject(user);
    expect(await run.request(4, requests.lstat('/here'))).toBe(0);
    expect(await run.request(3, requests.lstat('/here'))).toBe(ENOENT);
    expect(await run.request(4, requests.mkdir(root, '/made', 0o755))).toBe(EROFS);

    const helpers = run.helpers();
    expect(helpers).toHaveLength(2);
    run.say('exit 7');
    expect(await run.end()).toEqual({ status: 7, signal: null });
    await gone(helpers);
    expect(run.stderr.trimEnd()).toMatch(/^warn: refused a change of a read-only export.*$/);
  });

  it('tells of a signal that ended the command as shells do', async () => {
    const run = startRun(['--path', exportForTest()], ['{fd}']);
    const { pid } = await run.described();
    process.kill(pid, 'SIGKILL');
    expect((await run.end()).status).toBe(128 + constants.signals.SIGKILL);
  });

  it.each([
    [['/nonexistent/qemu'], 127, 'command-not-found', 'cannot start /nonexistent/qemu: no such file'],
    [['/etc/passwd'], 126, 'command-not-executable', 'cannot start /etc/passwd: permission denied'],
  ])('says that %j cannot be started, and leaves no helper', async (command, status, code, reason) => {
    const run = startRun(['--log-level=warn', '--path', exportForTest()], ['{fd}'], { command });
    expect(await run.end()).toMatchObject({ status, code });
    expect(run.stderr).toContain(`virtfs-proxy-helper: ${reason}`);
    expect(run.stderr.trimEnd()).not.toContain('\n');
  });

  it('does not start the command when a helper does not start, and says why in one line', async () => {
    const marker = join(exportForTest(), 'started');
    const run = startRun(
      ['--log-level=warn', '--path', exportForTest(), '--path', '/nonexistent'],
      ['{fd}', '{fd2}'],
      { command: ['touch', marker] },
    );
    expect((await run.end()).status).toBe(1);
    expect(run.stderr).toBe(
      'virtfs-proxy-helper: cannot export /nonexistent: no such file or directory (ENOENT) [export-not-found]\n',
    );
    expect(existsSync(marker)).toBe(false);
  });

  it('tells of a helper that dies, lets the command go on, and returns its status', async () => {
    const [first, second] = [exportForTest(), exportForTest()];
    const run = startRun(['--log-level=warn', '--path', first, '--path', second], ['{fd}', '{fd2}']);
    await run.described();
    const [helper = 0] = run.helpers();
    process.kill(helper, 'SIGKILL');
    await until(() => run.stderr.includes('\n'), 'a line on stderr');
    const path = [first, second].find((directory) => run.stderr.includes(directory)) ?? '';
    expect(run.stderr).toBe(
      `virtfs-proxy-helper: the helper of ${path} ended (SIGKILL): all operations on it fail now\n`,
    );
    const [dead, alive] = path === first ? [3, 4] : [4, 3];
    expect(await run.request(dead, requests.lstat('/'))).toBe('closed');
    expect(await run.request(alive, requests.lstat('/'))).toBe(0);
    run.say('exit 5');
    expect((await run.end()).status).toBe(5);
  });

  it('ends the helpers even if the command left a process with their descriptors', async () => {
    const run = startRun(['--path', exportForTest()], ['{fd}']);
    const { pid } = await run.described();
    const helpers = run.helpers();
    run.say('leave');
    expect(await run.line()).toBe('left');
    const [left = 0] = childrenOf(pid, 'emulator.py');
    try {
      run.say('exit 0');
      await gone(helpers);
      expect(isAlive(left)).toBe(true);
    } finally {
      process.kill(left, 'SIGKILL');
    }
    expect((await run.end()).status).toBe(0);
  });

  it('leaves the command its shares when it is killed itself; the helpers end with the command', async () => {
    const run = startRun(['--path', exportForTest()], ['{fd}']);
    const { pid } = await run.described();
    const helpers = run.helpers();
    process.kill(run.pid, 'SIGKILL');
    await until(() => processState(run.pid) !== 'S', 'run is dead');
    expect(await run.request(3, requests.lstat('/'))).toBe(0);
    process.kill(pid, 'SIGKILL');
    await gone(helpers);
  });

  it('hands nothing on that it inherited by mistake, to neither side', async () => {
    const leaked = exportForTest();
    const inherit = Array.from({ length: 30 }, () => openSync(leaked, 'r'));
    const run = startRun(['--path', exportForTest()], ['{fd}'], { inherit });
    expect((await run.described()).descriptors).toEqual([0, 1, 2, 3]);
    for (const helper of run.helpers()) {
      const open = readdirSync(`/proc/${helper}/fd`).map((fd) => readlinkSync(`/proc/${helper}/fd/${fd}`));
      expect(open).not.toContain(leaked);
    }
    run.say('exit 0');
    expect((await run.end()).status).toBe(0);
  });
});

describe.skipIf(skipped !== undefined)('signals to run', () => {
  it('reach the command, once each, and no helper', async () => {
    const run = startRun(['--path', exportForTest()], ['{fd}']);
    await run.described();
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGUSR1'] as const) {
      process.kill(run.pid, signal);
      expect(await run.line()).toBe(`signal ${constants.signals[signal]}`);
    }
    expect(await run.request(3, requests.lstat('/'))).toBe(0);
    run.say('exit 3');
    expect((await run.end()).status).toBe(3);
    expect(run.stdout.match(/signal/g)).toHaveLength(4);
  });

  it('end the command when it does not handle them', async () => {
    const run = startRun(['--path', exportForTest()], ['{fd}'], {
      command: ['sh', '-c', 'echo up; exec sleep 60'],
    });
    await run.line();
    const helpers = run.helpers();
    process.kill(run.pid, 'SIGTERM');
    expect((await run.end()).status).toBe(128 + constants.signals.SIGTERM);
    await gone(helpers);
  });

  it('from a terminal reach the command once, and no helper', async () => {
    // script(1) gives it a terminal; what is typed comes from its stdin. Its shell, whichever that is, is to be out of the
    // way: dash would wait, and die of the interrupt itself
    const run = startRun(['--log-level=silent', '--path', exportForTest()], ['{fd}'], {
      wrapper: [
        'setsid',
        '--wait',
        'sh',
        '-c',
        'exec script --quiet --return --command "exec $(printf "%s " "$@")" /dev/null',
        'sh',
      ],
    });
    const described = await run.described();
    run.type('\x03');
    let line = '';
    while (!line.startsWith('signal')) line = (await run.line()).replace(/^\^C/, '');
    expect(line).toBe(`signal ${constants.signals.SIGINT}`);

    // a stop that is typed is for the terminal's session, too
    const [helper = 0] = childrenOf(parentOf(described.pid), 'virtfs-proxy-helper');
    expect(psField('sid', helper)).not.toBe(psField('sid', described.pid));
    expect(psField('tty', helper)).toBe('?');
    run.say(`3 ${requests.lstat('/').toString('hex')}`);
    do line = await run.line();
    while (!/^0{8}/.test(line));
    run.say('exit 4');
    expect((await run.end()).status).toBe(4);
    expect(run.stdout.match(/signal/g)).toHaveLength(1);
  });
});

function psField(field: string, pid: number): string {
  return execFileSync('ps', ['-o', `${field}=`, '-p', String(pid)], { encoding: 'utf8' }).trim();
}

function parentOf(pid: number): number {
  return Number(psField('ppid', pid));
}
