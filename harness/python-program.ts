/** What an attacker does on the host, in Python: with exact names, and as another user without this checkout. */
import { type ChildProcess, spawn } from 'node:child_process';
import { onTestFinished } from 'vitest';

/**
 * Runs a program, which goes on until the end of the test. Returns when it has done what it is for.
 *
 * @param as a program in front of the command line, such as `setpriv`
 */
export async function pythonForTest(
  as: readonly string[],
  program: string,
  ...args: string[]
): Promise<ChildProcess> {
  const imports = 'import fcntl, os, socket, struct, sys, time';
  const script = `${imports}\n${program}\nprint("done", flush=True)\ntime.sleep(120)`;
  const [command = '', ...rest]: string[] = [...as, 'python3', '-c', script, ...args];
  // not one of a user whose files nobody else can read
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'], env });
  onTestFinished(() => void child.kill('SIGKILL'));
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => {
      resolve();
    });
    child.once('exit', () => {
      reject(new Error('the program ended'));
    });
  });
  return child;
}
