import { EINVAL, ENAMETOOLONG, ENOENT, ERANGE } from '../../abi/errno.js';
import { MAX_NAME_BYTES, MAX_TARGET_BYTES } from './numbers.js';

const SLASH = 0x2f;
const DOT = 0x2e;

/** 0 for a name that a file can have, or -errno. `.` and `..` are none, and neither is the empty name. */
export function checkName(name: Uint8Array): number {
  const { length } = name;
  if (length === 0) return -ENOENT;
  if (length > MAX_NAME_BYTES) return -ENAMETOOLONG;
  if (isDot(name) || isDotDot(name)) return -EINVAL;
  for (let at = 0; at < length; at++) {
    if (name[at] === SLASH || name[at] === 0) return -EINVAL;
  }
  return 0;
}

export function isDot(name: Uint8Array): boolean {
  return name.length === 1 && name[0] === DOT;
}

export function isDotDot(name: Uint8Array): boolean {
  return name.length === 2 && name[0] === DOT && name[1] === DOT;
}

/** 0 for what a symbolic link can lead to, or -errno. */
export function checkTarget(target: Uint8Array): number {
  if (target.length === 0) return -ENOENT;
  if (target.length > MAX_TARGET_BYTES) return -ENAMETOOLONG;
  return target.includes(0) ? -EINVAL : 0;
}

/** 0 for what an extended attribute can be called, or -errno. The empty name stands for the list of all. */
export function checkAttributeName(name: Uint8Array): number {
  if (name.length > MAX_NAME_BYTES) return -ERANGE;
  return name.includes(0) ? -EINVAL : 0;
}
