import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { StartError } from '../startup/start-errors.js';
import { describeErrno } from '../abi/errno-text.js';
import { cString } from '../syscalls/memory.js';
import { execvp, keepOverExec, StringVector } from '../syscalls/process.js';

/**
 * unshare(1) makes a user namespace in which the caller has the ids that he has outside, no others, and every
 * capability. Only a process with one thread may make one, so this one, which is Node's, has to become unshare, which
 * becomes Node again.
 */
const UNSHARE = ['unshare', '--user', '--map-current-user', '--keep-caps', '--'] as const;

/**
 * What such a namespace is for: mounts of our own, and another root. A security module may let everybody make a namespace
 * in which capabilities are worth nothing (AppArmor's unshare-userns-restrict), which only shows when one is used.
 */
const USE = ['unshare', '--mount', '--root', '/', '--', 'true'] as const;

/** Tells the program after the exec that this was tried, so that it is never tried twice. */
const TRIED = 'VIRTFS_PROXY_HELPER_NAMESPACE';

/**
 * Starts the same program again as the same process, in a user namespace of its own: with all arguments, descriptors
 * and variables, byte for byte.
 *
 * @param argumentsOfNode what Node was given behind its own name
 * @returns only when that is not possible: the reason
 */
export function enterUserNamespace(argumentsOfNode: readonly string[]): string {
  if (process.env[TRIED] !== undefined) return 'no capabilities in the user namespace';
  const [unshare, ...flags] = UNSHARE;
  const trial = spawnSync(unshare, [...flags, ...USE], { stdio: ['ignore', 'ignore', 'pipe'] });
  if (trial.error !== undefined) return trial.error.message;
  if (trial.status !== 0) return trial.stderr.toString().trim().split('\n').join('; ');

  process.env[TRIED] = '1';
  // Node has marked all descriptors of its caller close-on-exec; those of its own are closed with the next exec
  for (const descriptor of readdirSync('/proc/self/fd')) keepOverExec(Number(descriptor));
  const failed = execvp(
    cString(unshare),
    new StringVector([...UNSHARE, process.execPath, ...argumentsOfNode]),
  );
  throw new StartError('program-not-started', `cannot start ${unshare}: ${describeErrno(failed)}`);
}
