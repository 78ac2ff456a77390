import { usageError } from '../cli/options.js';

/** The largest id that is one: 2^32 - 1 means "no id" to the kernel. */
const MAX_ID = 0xffff_fffe;

function id(text: string): number | undefined {
  if (!/^\d+$/.test(text)) return undefined;
  const number = Number(text);
  if (number > MAX_ID) throw usageError(`${text} is not a valid id`);
  return number;
}

/** A user's name or id as an id. */
export async function userId(user: string): Promise<number> {
  const number = id(user);
  if (number !== undefined) return number;
  const { default: posix } = await import('posix');
  try {
    return posix.getpwnam(user).uid;
  } catch {
    throw usageError(`--uid ${user}: there is no such user`);
  }
}

/** A group's name or id as an id. */
export async function groupId(group: string): Promise<number> {
  const number = id(group);
  if (number !== undefined) return number;
  const { default: posix } = await import('posix');
  try {
    return posix.getgrnam(group).gid;
  } catch {
    throw usageError(`--gid ${group}: there is no such group`);
  }
}
