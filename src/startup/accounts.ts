import { usageError } from './start-errors.js';
import type { Posix } from '../native/posix.js';

/** The largest id that is one: 2^32 - 1 means "no id" to the kernel. */
const MAX_ID = 0xffff_fffe;

/** An id, or what the system's database says of a name. Throws a usage error. */
async function accountId(
  flag: string,
  kind: string,
  account: string,
  find: (posix: Posix) => number,
): Promise<number> {
  if (/^\d+$/.test(account)) {
    const id = Number(account);
    if (id > MAX_ID) throw usageError(`${flag} ${account}: not a valid id`, undefined, 'unknown-account');
    return id;
  }
  // compiled code, loaded only where there is a name to look up
  const { posix } = await import('../native/posix.js');
  try {
    return find(posix);
  } catch {
    throw usageError(`${flag} ${account}: there is no such ${kind}`, undefined, 'unknown-account');
  }
}

/** A user's name or id as an id. `flag` is the option that gave it. */
export async function userId(user: string, flag: string): Promise<number> {
  return accountId(flag, 'user', user, (posix) => posix.getpwnam(user).uid);
}

/** A group's name or id as an id. */
export async function groupId(group: string): Promise<number> {
  return accountId('--gid', 'group', group, (posix) => posix.getgrnam(group).gid);
}
