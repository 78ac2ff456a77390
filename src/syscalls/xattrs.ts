import { declareInt, result } from './libc.js';

/** Extended attributes of a path, never of what a symbolic link points to: xattr(7). */

const libc = {
  lgetxattr: declareInt('lgetxattr', 'void *', 'void *', 'void *', 'int64'),
  llistxattr: declareInt('llistxattr', 'void *', 'void *', 'int64'),
  lsetxattr: declareInt('lsetxattr', 'void *', 'void *', 'void *', 'int64', 'int'),
  lremovexattr: declareInt('lremovexattr', 'void *', 'void *'),
};

/** @returns the length of the value; with `size` 0 nothing is written */
export function lgetxattr(path: Uint8Array, name: Uint8Array, value: Uint8Array, size: number): number {
  return result(libc.lgetxattr(path, name, value, size));
}

/** @returns the length of the list of NUL-terminated names; with `size` 0 nothing is written */
export function llistxattr(path: Uint8Array, list: Uint8Array, size: number): number {
  return result(libc.llistxattr(path, list, size));
}

export function lsetxattr(
  path: Uint8Array,
  name: Uint8Array,
  value: Uint8Array,
  size: number,
  flags: number,
): number {
  return result(libc.lsetxattr(path, name, value, size, flags));
}

export function lremovexattr(path: Uint8Array, name: Uint8Array): number {
  return result(libc.lremovexattr(path, name));
}
