import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { StartError } from '../exit-status.js';
import { describeErrno } from '../syscalls/errno-text.js';
import { cString, stableMemory } from '../syscalls/memory.js';
import { execvp, keepOverExec, StringVector } from '../syscalls/process.js';

/**
 * unshare(1) makes a user namespace in which the caller has the ids that he has outside, no others, and every
 * capability. Only a process with one thread may make one, so this one, which is Node's, has to become unshare, which
 * becomes Node again.
 */
const UNSHARE = ['unshare', '--user', '--map-current-user', '--keep-caps', '--'] as const;

/** Tells the program after the exec that this was tried, so that it is never tried twice. */
const TRIED = 'VIRTFS_PROXY_HELPER_NAMESPACE';

/**
 * Starts the same program again as the same process, in a user namespace of its own: with all arguments, descriptors
 * and variables, byte for byte.
 *
 * @returns only when that is not possible: the reason
 */
export function enterUserNamespace(): string {
  if (process.env[TRIED] !== undefined) return 'no capabilities in the user namespace';
  const [unshare, ...flags] = UNSHARE;
  const trial = spawnSync(unshare, [...flags, 'true'], { stdio: ['ignore', 'ignore', 'pipe'] });
  if (trial.error !== undefined) return trial.error.message;
  if (trial.status !== 0) return trial.stderr.toString().trim().split('\n').join('; ');

  process.env[TRIED] = '1';
  // Node has marked all descriptors of its caller close-on-exec; those of its own are closed with the next exec
  for (const descriptor of readdirSync('/proc/self/fd')) keepOverExec(Number(descriptor));
  const failed = execvp(
    cString(unshare),
    new StringVector([...UNSHARE, process.execPath, ...ownArguments()]),
  );
  throw new StartError(`cannot start ${unshare}: ${describeErrno(failed)}`);
}

/** Node's arguments and ours as the bytes that they are: proc_pid_cmdline(5). */
function ownArguments(): Uint8Array[] {
  const line = readFileSync('/proc/self/cmdline');
  const memory = stableMemory(line.length);
  memory.set(line);
  const found: Uint8Array[] = [];
  for (let start = 0, end = memory.indexOf(0); end >= 0; start = end + 1, end = memory.indexOf(0, start)) {
    found.push(memory.subarray(start, end + 1));
  }
  return found.slice(1);
}
