import { describeErrno } from '../abi/errno-text.js';
import { StartError } from '../startup/start-errors.js';
import { becomeUser, CapabilitySets, leaveAllGroups } from '../syscalls/privileged/credentials.js';
import { boundingSetHas, dropFromBoundingSet, setNoNewPrivileges } from '../syscalls/process.js';
import type { Capability } from './capabilities.js';

/** Highest capability number that a 64-bit set can hold; the kernel says where it really ends. */
const MAX_CAPABILITY = 63;

/** Whether this thread may use all of these. */
export function hasCapabilities(wanted: readonly Capability[]): boolean {
  const sets = new CapabilitySets();
  sets.read();
  const { permitted } = sets;
  return wanted.every(({ number }) => ((permitted >> BigInt(number)) & 1n) === 1n);
}

/** Drops the caller's supplementary groups on every thread: the guest's users have none of them. */
export function clearGroups(): void {
  if (process.getgroups?.().length === 0) return;
  const failed = leaveAllGroups();
  if (failed < 0)
    throw new StartError(
      'rights-not-dropped',
      `cannot drop the supplementary groups: ${describeErrno(failed)}; see setgroups in user_namespaces(7)`,
    );
}

/** Gives the process the ids of a user, on all threads and for good. Throws a StartError. */
export function takeIds(ids: { readonly uid: number; readonly gid: number }): void {
  const failed = becomeUser(ids);
  if (failed < 0)
    throw new StartError('user-not-taken', `cannot become user ${ids.uid}: ${describeErrno(failed)}`);
}

/**
 * Makes the next exec of this thread one that leaves only the kept capabilities: a program started by root gets what
 * the bounding set holds and what is inheritable, and no more may be gained ever after. Throws a StartError.
 */
export function restrictNextProgram(kept: readonly Capability[], canConfine = true): void {
  const sets = new CapabilitySets();
  sets.read();
  sets.clearInheritable();
  const refused = sets.apply();
  if (refused < 0)
    throw new StartError(
      'rights-not-dropped',
      `cannot clear the inheritable capabilities: ${describeErrno(refused)}`,
    );
  // without the right to: with no_new_privs and nothing inheritable the next program gets nothing of it either
  if (canConfine) emptyBoundingSet(kept);
  const failed = setNoNewPrivileges();
  if (failed < 0)
    throw new StartError('rights-not-dropped', `cannot set no_new_privs: ${describeErrno(failed)}`);
}

function emptyBoundingSet(kept: readonly Capability[]): void {
  const numbers = new Set(kept.map(({ number }) => number));
  for (let number = 0; number <= MAX_CAPABILITY && boundingSetHas(number) >= 0; number++) {
    if (numbers.has(number) || boundingSetHas(number) === 0) continue;
    const failed = dropFromBoundingSet(number);
    // an ordinary user gets nothing of it by an exec, with nothing inheritable
    if (failed < 0 && kept.length > 0)
      throw new StartError(
        'rights-not-dropped',
        `cannot drop capability ${number}: ${describeErrno(failed)}`,
      );
  }
}
