import { declareInt, type Pointer } from './libc.js';

/** Extended attributes: xattr(7). With an l in front, of a symbolic link itself. */

/** Fails with EEXIST where there is one of the name: setxattr(2). */
export const XATTR_CREATE = 1;

const libc = {
  getxattr: declareInt('getxattr', 'void *', 'void *', 'void *', 'int64'),
  fgetxattr: declareInt('fgetxattr', 'int', 'void *', 'void *', 'int64'),
  fsetxattr: declareInt('fsetxattr', 'int', 'void *', 'void *', 'int64', 'int'),
  setxattr: declareInt('setxattr', 'void *', 'void *', 'void *', 'int64', 'int'),
  removexattr: declareInt('removexattr', 'void *', 'void *'),
  listxattr: declareInt('listxattr', 'void *', 'void *', 'int64'),
  lgetxattr: declareInt('lgetxattr', 'void *', 'void *', 'void *', 'int64'),
  llistxattr: declareInt('llistxattr', 'void *', 'void *', 'int64'),
  lsetxattr: declareInt('lsetxattr', 'void *', 'void *', 'void *', 'int64', 'int'),
  lremovexattr: declareInt('lremovexattr', 'void *', 'void *'),
};

/** @returns the length of the value; with `size` 0 nothing is written */
export function lgetxattr(path: Pointer, name: Pointer, value: Pointer, size: number): number {
  return libc.lgetxattr(path, name, value, size);
}

/** @returns the length of the list of NUL-terminated names; with `size` 0 nothing is written */
export function llistxattr(path: Pointer, list: Pointer, size: number): number {
  return libc.llistxattr(path, list, size);
}

/** What is set, and how: setxattr(2) in an object, as it is more than anybody can tell apart by place. */
export interface Attribute {
  readonly name: Pointer;
  readonly value: Pointer;
  /** Bytes of the value. */
  readonly size: number;
  /** XATTR_* or 0. */
  readonly flags: number;
}

export function lsetxattr(path: Pointer, { name, value, size, flags }: Attribute): number {
  return libc.lsetxattr(path, name, value, size, flags);
}

export function lremovexattr(path: Pointer, name: Pointer): number {
  return libc.lremovexattr(path, name);
}

/** As `lgetxattr`. */
export function getxattr(path: Pointer, name: Pointer, value: Pointer, size: number): number {
  return libc.getxattr(path, name, value, size);
}

/** As `llistxattr`. */
export function listxattr(path: Pointer, list: Pointer, size: number): number {
  return libc.listxattr(path, list, size);
}

export function setxattr(path: Pointer, { name, value, size, flags }: Attribute): number {
  return libc.setxattr(path, name, value, size, flags);
}

export function removexattr(path: Pointer, name: Pointer): number {
  return libc.removexattr(path, name);
}

/** As `lgetxattr`. @param descriptor open for more than O_PATH */
export function fgetxattr(descriptor: number, name: Pointer, value: Pointer, size: number): number {
  return libc.fgetxattr(descriptor, name, value, size);
}

/** @param descriptor open for more than O_PATH */
export function fsetxattr(descriptor: number, { name, value, size, flags }: Attribute): number {
  return libc.fsetxattr(descriptor, name, value, size, flags);
}
