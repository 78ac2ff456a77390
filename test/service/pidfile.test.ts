/** --pidfile: one helper at a time, and which one it is. */
import { spawnSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  commandLine,
  helperForTest,
  OURS,
  sessionForTest,
  whyNotRoot,
} from '../../harness/helper-process.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';

const skipped = whyNotRoot();
const O_ACCMODE = 3;

/** Whether somebody holds the lock, as any script would ask. */
const isLocked = (path: string): boolean => spawnSync('flock', ['--nonblock', path, 'true']).status === 1;

describe.skipIf(skipped !== undefined)('a pidfile', () => {
  it('has the pid of the process that serves, and is locked by it until its end', async () => {
    const directory = exportForTest();
    const pidfile = join(directory, 'pid');
    const { client, helper } = sessionForTest(exportForTest(), { args: ['--pidfile', pidfile] });
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    expect(readFileSync(pidfile, 'utf8')).toBe(`${helper.pid}\n`);
    expect((lstatSync(pidfile).mode & 0o7777).toString(8)).toBe('600');
    expect(isLocked(pidfile)).toBe(true);

    const second = await helperForTest([
      '-n',
      '-p',
      directory,
      '-s',
      join(directory, 's'),
      '--pidfile',
      pidfile,
    ]).exit();
    expect([second.status, second.stderr]).toEqual([
      1,
      `virtfs-proxy-helper: --pidfile ${pidfile}: a helper with pid ${helper.pid} has it; stop that one first [already-in-use]\n`,
    ]);
    expect(readdirSync(directory)).toEqual(['pid']);

    await helper.stop();
    expect(isLocked(pidfile)).toBe(false);
    // left behind by a helper that was killed
    const third = sessionForTest(exportForTest(), { args: ['--pidfile', pidfile] });
    expect(third.client.request(requests.lstat('/')).errno).toBe(0);
    expect(readFileSync(pidfile, 'utf8')).toBe(`${third.helper.pid}\n`);
  });

  it('has the pid of the daemon when the command returns', () => {
    const directory = exportForTest();
    const path = join(directory, 'socket');
    const pidfile = join(directory, 'pid');
    const [command, args] = commandLine(OURS, ['-p', directory, '-s', path, '--pidfile', pidfile]);
    const { status, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 20_000 });
    expect([status, stderr]).toEqual([0, '']);
    const pid = Number(readFileSync(pidfile, 'utf8'));
    onTestFinished(() => void process.kill(pid, 'SIGKILL'));
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toContain('virtfs-proxy-helper');
    expect(isLocked(pidfile)).toBe(true);
  });

  it('is all that the process has of files outside, and for reading only', () => {
    const pidfile = join(exportForTest(), 'pid');
    const { client, helper } = sessionForTest(exportForTest(), { args: ['--pidfile', pidfile] });
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    const { dev, ino } = lstatSync(pidfile);
    const open = readdirSync(`/proc/${helper.pid}/fd`).filter((fd) => {
      const status = statSync(`/proc/${helper.pid}/fd/${fd}`);
      return status.dev === dev && status.ino === ino;
    });
    expect(open.length).toBe(1);
    const flags = /^flags:\s*(\d+)$/m.exec(
      readFileSync(`/proc/${helper.pid}/fdinfo/${open[0]!}`, 'utf8'),
    )![1]!;
    expect(Number.parseInt(flags, 8) & O_ACCMODE).toBe(0);
  });

  it.each([
    [
      'a symbolic link',
      (path: string) => {
        symlinkSync(`${path}-target`, path);
      },
      'is a symbolic link',
    ],
    [
      'a fifo',
      (path: string) => {
        spawnSync('mkfifo', [path]);
      },
      'is not a regular file',
    ],
    [
      'of another user',
      (path: string) => {
        writeFileSync(path, '');
        spawnSync('chown', ['1000', path]);
      },
      'belongs to another user',
    ],
    ['in no directory', undefined, 'no such file or directory'],
  ])('is refused when it is %s', async (_what, make, reason) => {
    const directory = exportForTest();
    const pidfile = make === undefined ? join(directory, 'missing/pid') : join(directory, 'pid');
    make?.(pidfile);
    const before = readdirSync(directory);
    const { peer, client } = WireClient.pair();
    const exit = await helperForTest(['-n', '-p', directory, '-f', '3', '--pidfile', pidfile], {
      inherit: [peer],
    }).exit();
    client.close();
    expect([exit.status, exit.stderr]).toEqual([
      1,
      expect.stringContaining(`--pidfile ${pidfile}: ${reason}`),
    ]);
    expect(readdirSync(directory)).toEqual(before);
  });
});
