/**
 * Request frames as QEMU's `proxy` driver writes them, built from the table of the protocol alone. Nothing here comes
 * from `src/proxy-protocol`: two mistakes that agree would go unseen.
 */

export const requestTypes = {
  OPEN: 2,
  CREATE: 3,
  MKNOD: 4,
  MKDIR: 5,
  SYMLINK: 6,
  LINK: 7,
  LSTAT: 8,
  READLINK: 9,
  STATFS: 10,
  CHMOD: 11,
  CHOWN: 12,
  TRUNCATE: 13,
  UTIME: 14,
  RENAME: 15,
  REMOVE: 16,
  LGETXATTR: 17,
  LLISTXATTR: 18,
  LSETXATTR: 19,
  LREMOVEXATTR: 20,
  GETVERSION: 21,
} as const;

export type RequestName = keyof typeof requestTypes;

export const requestNames = Object.keys(requestTypes) as RequestName[];

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Paths, names and values are bytes; a string stands for its UTF-8 bytes, for tests that read well. */
export type Bytes = Buffer | string;

const buffer = (bytes: Bytes): Buffer => (typeof bytes === 'string' ? Buffer.from(bytes) : bytes);

/** A 32-bit field; -1 and 0xffffffff are the same four bytes. */
export function d(value: number): Buffer {
  const field = Buffer.allocUnsafe(4);
  field.writeUInt32LE(value >>> 0);
  return field;
}

/** A 64-bit field; negative values as two's complement. */
export function q(value: bigint | number): Buffer {
  const field = Buffer.allocUnsafe(8);
  field.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return field;
}

/** A string field: 16-bit length and the bytes, no NUL. */
export function s(value: Bytes): Buffer {
  const bytes = buffer(value);
  const field = Buffer.allocUnsafe(2 + bytes.length);
  field.writeUInt16LE(bytes.length);
  bytes.copy(field, 2);
  return field;
}

/** A frame of any type and payload, well formed or not. */
export function frame(type: number, ...fields: readonly Buffer[]): Buffer {
  let size = 0;
  for (const field of fields) size += field.length;
  return Buffer.concat([d(type), d(size), ...fields], 8 + size);
}

const t = requestTypes;

export const requests = {
  open: (path: Bytes, flags: number) => frame(t.OPEN, s(path), d(flags)),
  create: (path: Bytes, flags: number, mode: number, { uid, gid }: Owner) =>
    frame(t.CREATE, s(path), d(flags), d(mode), d(uid), d(gid)),
  mknod: ({ uid, gid }: Owner, path: Bytes, mode: number, rdev: bigint | number) =>
    frame(t.MKNOD, d(uid), d(gid), s(path), d(mode), q(rdev)),
  mkdir: ({ uid, gid }: Owner, path: Bytes, mode: number) => frame(t.MKDIR, d(uid), d(gid), s(path), d(mode)),
  symlink: ({ uid, gid }: Owner, target: Bytes, path: Bytes) =>
    frame(t.SYMLINK, d(uid), d(gid), s(target), s(path)),
  link: (existing: Bytes, path: Bytes) => frame(t.LINK, s(existing), s(path)),
  lstat: (path: Bytes) => frame(t.LSTAT, s(path)),
  readlink: (path: Bytes, size: number) => frame(t.READLINK, s(path), d(size)),
  statfs: (path: Bytes) => frame(t.STATFS, s(path)),
  chmod: (path: Bytes, mode: number) => frame(t.CHMOD, s(path), d(mode)),
  chown: (path: Bytes, { uid, gid }: Owner) => frame(t.CHOWN, s(path), d(uid), d(gid)),
  truncate: (path: Bytes, length: bigint | number) => frame(t.TRUNCATE, s(path), q(length)),
  utime: (path: Bytes, atime: readonly [bigint, bigint], mtime: readonly [bigint, bigint]) =>
    frame(t.UTIME, s(path), q(atime[0]), q(atime[1]), q(mtime[0]), q(mtime[1])),
  rename: (from: Bytes, to: Bytes) => frame(t.RENAME, s(from), s(to)),
  remove: (path: Bytes) => frame(t.REMOVE, s(path)),
  lgetxattr: (size: number, path: Bytes, name: Bytes) => frame(t.LGETXATTR, d(size), s(path), s(name)),
  llistxattr: (size: number, path: Bytes) => frame(t.LLISTXATTR, d(size), s(path)),
  /** `size` is a field of its own beside the value's length; QEMU sends both alike. */
  lsetxattr: (path: Bytes, name: Bytes, value: Bytes, flags = 0, size = buffer(value).length) =>
    frame(t.LSETXATTR, s(path), s(name), s(value), d(size), d(flags)),
  lremovexattr: (path: Bytes, name: Bytes) => frame(t.LREMOVEXATTR, s(path), s(name)),
  getversion: (path: Bytes) => frame(t.GETVERSION, s(path)),
};
