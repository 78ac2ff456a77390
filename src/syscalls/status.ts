import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, EMPTY_PATH } from './files.js';
import { addressOf, declareInt, type Pointer } from './libc.js';
import { stableMemory, wordsOf } from './memory.js';

const libc = {
  statx: declareInt('statx', 'int', 'void *', 'int', 'uint32', 'void *'),
  statfs: declareInt('statfs', 'void *', 'void *'),
  fstatfs: declareInt('fstatfs', 'int', 'void *'),
  nameToHandleAt: declareInt('name_to_handle_at', 'int', 'void *', 'void *', 'void *', 'int'),
};

const AT_STATX_DONT_SYNC = 0x4000;
export const AT_SYMLINK_FOLLOW = 0x400;
const STATX_TYPE = 0x1;
const STATX_BASIC_STATS = 0x7ff;
const STATX_BIRTH_TIME = 0x800;
const STATX_MNT_ID = 0x1000;
const STATX_MNT_ID_UNIQUE = 0x4000;
/** Numbers that no mount gets a second time begin here. */
const FIRST_UNIQUE_MOUNT = 2 ** 31;

/**
 * `struct statx`, statx(2): the same on every architecture, unlike `struct stat`.
 * Fields are 32-bit words; a 64-bit field is the word given and the one after it. Behind it is a word that stays 0.
 */
export class FileStatus {
  readonly bytes = stableMemory(260);
  readonly address = addressOf(this.bytes);
  readonly words = wordsOf(this.bytes);

  /** Word index of each field in `words`. */
  static readonly MASK = 0;
  static readonly BLKSIZE = 1;
  static readonly NLINK = 4;
  static readonly UID = 5;
  static readonly GID = 6;
  static readonly INO = 8;
  static readonly SIZE = 10;
  static readonly BLOCKS = 12;
  static readonly ATIME = 16;
  static readonly BIRTH_TIME = 20;
  static readonly CTIME = 24;
  static readonly MTIME = 28;
  static readonly RDEV_MAJOR = 32;
  static readonly RDEV_MINOR = 33;
  static readonly DEV_MAJOR = 34;
  static readonly DEV_MINOR = 35;
  static readonly MOUNT_ID = 36;
  static readonly ZERO = 64;

  readonly #mode = new Uint16Array(this.bytes.buffer, 28, 1);

  /** File type and permissions, as `st_mode`. */
  get mode(): number {
    return this.#mode[0] ?? 0;
  }

  set mode(mode: number) {
    this.#mode[0] = mode;
  }

  /** Whether the file system told when the inode was made: `fstatWithBirth`. */
  get hasBirthTime(): boolean {
    return ((this.words[FileStatus.MASK] ?? 0) & STATX_BIRTH_TIME) !== 0;
  }
}

/** `lstat(2)`, by statx. */
export function lstat(path: Pointer, status: FileStatus, directory = AT_FDCWD): number {
  return libc.statx(directory, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, status.address);
}

/** `stat(2)`, by statx. */
export function stat(path: Pointer, status: FileStatus): number {
  return libc.statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, status.address);
}

/** `fstat(2)`, by statx. */
export function fstat(descriptor: number, status: FileStatus): number {
  return libc.statx(descriptor, EMPTY_PATH, AT_EMPTY_PATH, STATX_BASIC_STATS, status.address);
}

/** `fstat` with the birth time, where the file system keeps one. */
export function fstatWithBirth(descriptor: number, status: FileStatus): number {
  const mask = STATX_BASIC_STATS | STATX_BIRTH_TIME;
  return libc.statx(descriptor, EMPTY_PATH, AT_EMPTY_PATH, mask, status.address);
}

/** Only the file type of what a descriptor (also an O_PATH one) refers to. */
export function fileType(descriptor: number, status: FileStatus): number {
  return libc.statx(descriptor, EMPTY_PATH, AT_EMPTY_PATH, STATX_TYPE, status.address);
}

const IDENTITY = [FileStatus.INO, FileStatus.INO + 1, FileStatus.DEV_MAJOR, FileStatus.DEV_MINOR] as const;

const { BIRTH_TIME } = FileStatus;
const IDENTITY_WITH_BIRTH = [...IDENTITY, BIRTH_TIME, BIRTH_TIME + 1, BIRTH_TIME + 2] as const;

/**
 * Tells a file from all others, and mostly from one that had its number before, or has it later.
 *
 * @param status of `fstatWithBirth`
 */
export function identityWithBirth(status: FileStatus): string {
  return IDENTITY_WITH_BIRTH.map((word) => status.words[word]).join(':');
}

/** Tells the file that a descriptor refers to from all others that there are at the same time. */
export function identityOf(descriptor: number): string {
  const status = new FileStatus();
  fstat(descriptor, status);
  return IDENTITY.map((word) => status.words[word]).join(':');
}

/** Whether a name in a directory is that of the very file that a descriptor refers to. No link is followed. */
export function isSameFile(descriptor: number, directory: number, name: Pointer): boolean {
  const open = new FileStatus();
  const named = new FileStatus();
  if (fstat(descriptor, open) < 0 || lstat(name, named, directory) < 0) return false;
  return IDENTITY.every((word) => open.words[word] === named.words[word]);
}

/** Whether two descriptors refer to the same file. */
export function referToSameFile(one: number, other: number): boolean {
  const [first, second] = [new FileStatus(), new FileStatus()];
  if (fstat(one, first) < 0 || fstat(other, second) < 0) return false;
  return IDENTITY.every((word) => first.words[word] === second.words[word]);
}

/** The id of the mount that a descriptor (also an O_PATH one) is on, as in mountinfo, or -errno (Linux 5.8). */
export function mountId(descriptor: number, status: FileStatus): number {
  // the file system itself, perhaps a server that does not answer, is not asked
  const flags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
  const failed = libc.statx(descriptor, EMPTY_PATH, flags, STATX_MNT_ID, status.address);
  return failed < 0 ? failed : (status.words[FileStatus.MOUNT_ID] ?? 0);
}

/**
 * As `mountId`, with the file type, which is part of the inode in memory.
 *
 * @returns 0 where the kernel does not tell the mount (before Linux 5.8)
 */
export function mountIdAndType(descriptor: number, status: FileStatus): number {
  return mountOf(descriptor, STATX_MNT_ID, status);
}

/**
 * The same since Linux 6.8 with a number that is never used again (`isUniqueMount`), and that no table of mounts tells.
 */
export function mountNumberAndType(descriptor: number, status: FileStatus): number {
  // a kernel that does not know the second one tells the first one
  return mountOf(descriptor, STATX_MNT_ID | STATX_MNT_ID_UNIQUE, status);
}

function mountOf(descriptor: number, wanted: number, status: FileStatus): number {
  const flags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
  const failed = libc.statx(descriptor, EMPTY_PATH, flags, wanted | STATX_TYPE, status.address);
  if (failed < 0) return failed;
  const { words } = status;
  if (((words[FileStatus.MASK] ?? 0) & wanted) === 0) return 0;
  return (words[FileStatus.MOUNT_ID + 1] ?? 0) * 0x1_0000_0000 + (words[FileStatus.MOUNT_ID] ?? 0);
}

/** Whether no other mount will ever be told by this number, as long as the machine runs. */
export function isUniqueMount(mount: number): boolean {
  return mount >= FIRST_UNIQUE_MOUNT;
}

/** `struct statfs` of the 64-bit architectures, statfs(2), as 32-bit words. */
export class FileSystemStatus {
  readonly bytes = stableMemory(120);
  readonly address = addressOf(this.bytes);
  readonly words = wordsOf(this.bytes);

  static readonly TYPE = 0;
  static readonly BSIZE = 2;
  static readonly BLOCKS = 4;
  static readonly BFREE = 6;
  static readonly BAVAIL = 8;
  static readonly FILES = 10;
  static readonly FFREE = 12;
  static readonly FSID = 14;
  static readonly NAMELEN = 16;
  static readonly FRSIZE = 18;

  /** The file system's magic number. */
  get type(): number {
    return this.words[FileSystemStatus.TYPE] ?? 0;
  }
}

export function statfs(path: Pointer, status: FileSystemStatus): number {
  return libc.statfs(path, status.address);
}

export function fstatfs(descriptor: number, status: FileSystemStatus): number {
  return libc.fstatfs(descriptor, status.address);
}

const MAX_HANDLE_BYTES = 128;

/** `struct file_handle`, open_by_handle_at(2): two words of head, then what the file system put there. */
export class FileHandle {
  readonly bytes = stableMemory(8 + MAX_HANDLE_BYTES);
  readonly address = addressOf(this.bytes);
  readonly words = wordsOf(this.bytes);
  /** Where the id of the mount goes, which nobody reads. */
  readonly mount = addressOf(stableMemory(4));

  get length(): number {
    return this.words[0] ?? 0;
  }

  get type(): number {
    return this.words[1] ?? 0;
  }

  /** 32-bit word `index` of the handle itself. */
  word(index: number): number {
    return this.words[2 + index] ?? 0;
  }
}

/**
 * `name_to_handle_at(2)`: names the inode without opening it and without any privilege.
 *
 * @param flags AT_SYMLINK_FOLLOW or 0
 */
export function nameToHandle(path: Pointer, handle: FileHandle, flags: number): number {
  handle.words[0] = MAX_HANDLE_BYTES;
  return libc.nameToHandleAt(AT_FDCWD, path, handle.address, handle.mount, flags);
}
