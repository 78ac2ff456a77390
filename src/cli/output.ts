import { ExitStatus } from '../startup/exit-status.js';

/** Prints to stdout. When that fails, the program ends and says why; a reader that has gone is told nothing. */
export function print(text: string): void {
  if (process.stdout.listenerCount('error') === 0) process.stdout.on('error', endWith);
  process.stdout.write(text);
}

function endWith({ code, message }: NodeJS.ErrnoException): never {
  if (code !== 'EPIPE') process.stderr.write(`virtfs-proxy-helper: cannot write to stdout: ${message}\n`);
  return process.exit(ExitStatus.FAILURE);
}
