/** Changes what the kernel answers a running helper, delays it, or makes a system call its last: strace(1). */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { onTestFinished } from 'vitest';

const STRACE = '/usr/bin/strace';

/** Why nothing can be injected here, or undefined if it can. */
export function whyNoInjection(): string | undefined {
  return existsSync(STRACE) ? undefined : `${STRACE} is not installed (Debian: strace)`;
}

/**
 * Has a helper's system calls fail, wait, or be its last.
 *
 * @param pid whose first thread it is: the one that carries out requests
 * @param injection as of `strace --inject`: `lchown:error=ENOSPC:when=2`
 * @returns how to let it go again; that resolves to the calls that were seen, a line each
 */
export async function inject(pid: number, injection: string): Promise<() => Promise<string[]>> {
  const calls = injection.split(':')[0]!;
  const strace = spawn(STRACE, ['-p', String(pid), '-e', `trace=${calls}`, '-e', `inject=${injection}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  const ended = new Promise<void>((resolve) => {
    strace.once('close', () => {
      resolve();
    });
  });
  onTestFinished(() => {
    strace.kill('SIGKILL');
  });
  await new Promise<void>((resolve, reject) => {
    strace.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('attached')) resolve();
    });
    strace.once('close', () => {
      reject(new Error(`strace has ended: ${output}`));
    });
  });
  return async () => {
    strace.kill('SIGINT');
    await ended;
    return output.split('\n').filter((line) => /^\w+\(/.test(line));
  };
}
