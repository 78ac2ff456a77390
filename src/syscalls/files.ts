import { architecture } from '../abi/architecture.js';
import * as errno from '../abi/errno.js';
import { O_CLOEXEC } from '../abi/open-flags.js';
import { addressOf, declareInt, type Pointer } from './libc.js';
import { cString, stableMemory, wordsOf } from './memory.js';

export * from '../abi/file-modes.js';
export * from '../abi/open-flags.js';

/** File system calls, one function per call, named as in section 2 of the manual. All return 0 or a value, or -errno. */

const libc = {
  openat: declareInt('openat', 'int', 'void *', 'int', 'uint32'),
  openat2: declareInt('syscall', 'int64', 'int64', 'void *', 'int64', 'int64', 'int64', 'int64'),
  close: declareInt('close', 'int'),
  closeRange: declareInt('close_range', 'uint32', 'uint32', 'int'),
  mknod: declareInt('mknod', 'void *', 'uint32', 'int64'),
  mkdir: declareInt('mkdir', 'void *', 'uint32'),
  mkdirat: declareInt('mkdirat', 'int', 'void *', 'uint32'),
  symlink: declareInt('symlink', 'void *', 'void *'),
  linkat: declareInt('linkat', 'int', 'void *', 'int', 'void *', 'int'),
  renameat: declareInt('renameat', 'int', 'void *', 'int', 'void *'),
  unlink: declareInt('unlink', 'void *'),
  unlinkat: declareInt('unlinkat', 'int', 'void *', 'int'),
  rmdir: declareInt('rmdir', 'void *'),
  readlink: declareInt('readlink', 'void *', 'void *', 'int64'),
  readlinkat: declareInt('readlinkat', 'int', 'void *', 'void *', 'int64'),
  chmod: declareInt('chmod', 'void *', 'uint32'),
  fchmodat: declareInt('fchmodat', 'int', 'void *', 'uint32', 'int'),
  lchown: declareInt('lchown', 'void *', 'uint32', 'uint32'),
  fchownat: declareInt('fchownat', 'int', 'void *', 'uint32', 'uint32', 'int'),
  pwrite: declareInt('pwrite', 'int', 'void *', 'int64', 'int64'),
  read: declareInt('read', 'int', 'void *', 'int64'),
  pread: declareInt('pread', 'int', 'void *', 'int64', 'int64'),
  getdents: declareInt('getdents64', 'int', 'void *', 'int64'),
  truncate: declareInt('truncate', 'void *', 'int64'),
  ftruncate: declareInt('ftruncate', 'int', 'int64'),
  utimensat: declareInt('utimensat', 'int', 'void *', 'void *', 'int'),
  chdir: declareInt('chdir', 'void *'),
  fchdir: declareInt('fchdir', 'int'),
  chroot: declareInt('chroot', 'void *'),
  flock: declareInt('flock', 'int', 'int'),
  umask: declareInt('umask', 'uint32'),
  memfdCreate: declareInt('memfd_create', 'void *', 'uint32'),
};

export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_EMPTY_PATH = 0x1000;
/** The path that, with AT_EMPTY_PATH, means the descriptor itself. */
export const EMPTY_PATH = addressOf(stableMemory(1));

const MFD_CLOEXEC = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

/** @returns the descriptor */
export function openat(directory: number, path: Pointer, flags: number, mode: number): number {
  return libc.openat(directory, path, flags | O_CLOEXEC, mode);
}

/** `struct open_how` of openat2(2): flags, mode and resolve, 64 bits each. */
const OPEN_HOW_BYTES = 24;
const openHow = stableMemory(OPEN_HOW_BYTES);
const openHowWords = wordsOf(openHow);
const openHowAddress = addressOf(openHow);

/** No symbolic link at all is followed: ELOOP. */
export const RESOLVE_NO_SYMLINKS = 0x04;
/** No magic link of a procfs is followed: ELOOP. */
export const RESOLVE_NO_MAGICLINKS = 0x02;
/** Nothing above the directory is reached: EXDEV. */
export const RESOLVE_BENEATH = 0x08;
/** The directory is the root for `..` and absolute links: EAGAIN when a directory of the way moved meanwhile. */
export const RESOLVE_IN_ROOT = 0x10;

/** `openat2(2)` with one way to resolve paths. */
export type OpenResolving = (directory: number, path: Pointer, flags: number, mode: number) => number;

/**
 * Makes an `open(2)` that resolves paths in one way only: openat2(2).
 *
 * @param resolve RESOLVE_* flags
 */
export function openResolving(resolve: number): OpenResolving {
  return (directory, path, flags, mode) => {
    openHowWords[0] = flags | O_CLOEXEC;
    openHowWords[2] = mode & 0o7777;
    openHowWords[4] = resolve;
    return libc.openat2(architecture.syscalls.openat2, directory, path, openHowAddress, OPEN_HOW_BYTES, 0, 0);
  };
}

export function close(descriptor: number): number {
  return libc.close(descriptor);
}

/** Closes `first` to `last`, both included, in one call (Linux 5.9). */
export function closeRange(first: number, last: number): number {
  return libc.closeRange(first, last, 0);
}

export function mknod(path: Pointer, mode: number, device: number | bigint): number {
  return libc.mknod(path, mode, device);
}

export function mkdir(path: Pointer, mode: number): number {
  return libc.mkdir(path, mode);
}

export function mkdirat(directory: number, path: Pointer, mode: number): number {
  return libc.mkdirat(directory, path, mode);
}

export function symlink(target: Pointer, path: Pointer): number {
  return libc.symlink(target, path);
}

export function linkat(
  oldDirectory: number,
  oldPath: Pointer,
  newPath: Pointer,
  newDirectory = AT_FDCWD,
): number {
  return libc.linkat(oldDirectory, oldPath, newDirectory, newPath, 0);
}

export function renameat(
  oldDirectory: number,
  oldPath: Pointer,
  newPath: Pointer,
  newDirectory = AT_FDCWD,
): number {
  return libc.renameat(oldDirectory, oldPath, newDirectory, newPath);
}

export function unlink(path: Pointer): number {
  return libc.unlink(path);
}

/** The same below a directory, without following a link. @param flags AT_REMOVEDIR for a directory */
export function unlinkat(directory: number, path: Pointer, flags: number): number {
  return libc.unlinkat(directory, path, flags);
}

export function rmdir(path: Pointer): number {
  return libc.rmdir(path);
}

/** Removes a file or an empty directory, as remove(3). */
export function remove(path: Pointer): number {
  const removed = unlink(path);
  return removed === -errno.EISDIR ? rmdir(path) : removed;
}

/** @returns the length of what was written to `target`, which is cut at `size` bytes and has no NUL */
export function readlink(path: Pointer, target: Pointer, size: number): number {
  return libc.readlink(path, target, size);
}

/** The same for a path below a directory. */
export function readlinkat(directory: number, path: Pointer, target: Pointer, size: number): number {
  return libc.readlinkat(directory, path, target, size);
}

/** The same of a link that is open: an O_PATH descriptor with O_NOFOLLOW. */
export function readlinkOf(link: number, target: Pointer, size: number): number {
  return libc.readlinkat(link, EMPTY_PATH, target, size);
}

export function chmod(path: Pointer, mode: number): number {
  return libc.chmod(path, mode);
}

/** The same for a path below a directory. */
export function fchmodat(directory: number, path: Pointer, mode: number): number {
  return libc.fchmodat(directory, path, mode, 0);
}

/** An id of 0xffffffff leaves that id as it is. */
export function lchown(path: Pointer, uid: number, gid: number): number {
  return libc.lchown(path, uid, gid);
}

/** The same, but of what a symbolic link leads to. */
export function chown(path: Pointer, uid: number, gid: number): number {
  return libc.fchownat(AT_FDCWD, path, uid, gid, 0);
}

/** The owner of what a descriptor (also an O_PATH one) refers to. */
export function chownDescriptor(descriptor: number, uid: number, gid: number): number {
  return libc.fchownat(descriptor, EMPTY_PATH, uid, gid, AT_EMPTY_PATH);
}

/** @returns how many bytes were read, 0 at the end */
export function read(descriptor: number, bytes: Pointer, size: number): number {
  return libc.read(descriptor, bytes, size);
}

/** The same from a place in the file: pread(2). */
export function readAt(descriptor: number, bytes: Pointer, size: number, offset: number): number {
  return libc.pread(descriptor, bytes, size, offset);
}

/** @returns how many bytes were written, from `at` on */
export function pwrite(descriptor: number, bytes: Pointer, size: number, at: number): number {
  return libc.pwrite(descriptor, bytes, size, at);
}

/** @returns the length of what was written to `entries`: `struct linux_dirent64`, getdents(2); 0 at the end */
export function getdents(directory: number, entries: Uint8Array): number {
  return libc.getdents(directory, entries, entries.length);
}

/** Waits for whoever holds a lease on the file, up to the 45 seconds of /proc/sys/fs/lease-break-time. */
export function truncate(path: Pointer, length: number | bigint): number {
  return libc.truncate(path, length);
}

export function ftruncate(descriptor: number, length: number | bigint): number {
  return libc.ftruncate(descriptor, length);
}

/**
 * @param times two `struct timespec`: access and modification
 * @param flags AT_SYMLINK_NOFOLLOW or 0
 */
export function utimensat(directory: number, path: Pointer, times: Pointer, flags: number): number {
  return libc.utimensat(directory, path, times, flags);
}

export function chdir(path: Pointer): number {
  return libc.chdir(path);
}

export function fchdir(directory: number): number {
  return libc.fchdir(directory);
}

export function chroot(path: Pointer): number {
  return libc.chroot(path);
}

/** Locks an open file for this open file description alone, or fails with EWOULDBLOCK: flock(2). */
export function lockNow(descriptor: number): number {
  return libc.flock(descriptor, LOCK_EX | LOCK_NB);
}

/** @returns the mask before */
export function umask(mask: number): number {
  return libc.umask(mask);
}

/** A file without a path that lives in memory: memfd_create(2). @returns its descriptor, closed on exec, or -errno */
export function memoryFile(name: string): number {
  return libc.memfdCreate(cString(name), MFD_CLOEXEC);
}
