import * as errno from '../../abi/errno.js';
import { cString, stableMemory, wordsOf } from '../../syscalls/memory.js';
import { FileStatus, FileSystemStatus, fstatfs, fstatWithBirth } from '../../syscalls/status.js';
import { fgetxattr, fsetxattr } from '../../syscalls/xattrs.js';

const NAME = cString('user.virtfs.inode');

const { BIRTH_TIME, CTIME, DEV_MAJOR, DEV_MINOR, INO, MTIME } = FileStatus;
/** What no two inodes of a device have in common, also when one gets the number of another that is gone. */
const IDENTITY = [INO, INO + 1, BIRTH_TIME, BIRTH_TIME + 1, BIRTH_TIME + 2] as const;
/** A metadata file as it was when the mark was set: neither a copy nor what QEMU wrote over it has the same. */
const TIME = [MTIME, MTIME + 1, MTIME + 2] as const;
const STATE = [...IDENTITY, ...TIME] as const;
const WORDS = STATE.length + IDENTITY.length;
const BYTES = 4 * WORDS;

/**
 * Magic numbers of the file systems on which an inode keeps its number and its birth time: `<linux/magic.h>`, OpenZFS.
 * On an overlay both may change when a file is written to.
 */
const KEEP_IDENTITY = new Set([
  0xef53, // ext4
  0x58465342, // xfs
  0x9123683e, // btrfs
  0xf2f52010, // f2fs
  0x01021994, // tmpfs
  0x2fc12fc1, // zfs
]);

/** In the place of the mtime: what is about to be written counts, too. */
const ANY_TIME = 0xffff_ffff;

/** What it means that an attribute cannot be set: there are none here, or not for this process. */
const impossible = new Set([errno.EOPNOTSUPP, errno.EPERM, errno.EACCES].map((code) => -code));

/**
 * Which inode a metadata file was written for, in an extended attribute of the metadata file, where there are any. The
 * file's content and name are those of QEMU. A file without a mark that counts is that of whatever has its name.
 */
export class RecordMark {
  readonly #value = stableMemory(BYTES);
  readonly #words = wordsOf(this.#value);
  readonly #status = new FileStatus();
  readonly #fileSystem = new FileSystemStatus();

  /**
   * Whether an open metadata file was written for another inode than that of an object.
   *
   * @param status what `fstatWithBirth` says of the file
   */
  isOfAnother(record: number, status: FileStatus, object: FileStatus): boolean {
    // whatever gives an inode a name changes its ctime
    if (isChangedBefore(object, status) || !object.hasBirthTime) return false;
    return this.#read(record, status) && !this.#has(IDENTITY, object, STATE.length);
  }

  /** Whether it certainly was written for that of an object: without a mark it was not. */
  isOf(record: number, status: FileStatus, object: FileStatus): boolean {
    if (!isOnDeviceOf(status, object) || !object.hasBirthTime) return false;
    return this.#read(record, status) && this.#has(IDENTITY, object, STATE.length);
  }

  /**
   * Marks a metadata file that was just written, or is about to be.
   *
   * @param record a descriptor that is open for writing
   * @returns 1, 0 where that is impossible, or -errno
   */
  set(record: number, object: FileStatus, isWritten = true): number {
    const status = this.#status;
    if (fstatWithBirth(record, status) < 0 || fstatfs(record, this.#fileSystem) < 0) return 0;
    if (!KEEP_IDENTITY.has(this.#fileSystem.type) || !isOnDeviceOf(status, object)) return 0;
    if (!status.hasBirthTime || !object.hasBirthTime) return 0;
    STATE.forEach((word, at) => (this.#words[at] = status.words[word] ?? 0));
    if (!isWritten) this.#words.fill(ANY_TIME, IDENTITY.length, STATE.length);
    IDENTITY.forEach((word, at) => (this.#words[STATE.length + at] = object.words[word] ?? 0));
    const failed = fsetxattr(record, { name: NAME, value: this.#value, size: BYTES, flags: 0 });
    if (failed >= 0) return 1;
    return impossible.has(failed) ? 0 : failed;
  }

  /** Reads a mark. @returns whether it counts: neither a copied one, nor that of a file written by somebody else */
  #read(record: number, status: FileStatus): boolean {
    if (fgetxattr(record, NAME, this.#value, BYTES) !== BYTES) return false;
    if (!this.#has(IDENTITY, status, 0)) return false;
    const isAnyTime = TIME.every((_, at) => this.#words[IDENTITY.length + at] === ANY_TIME);
    return isAnyTime || this.#has(TIME, status, IDENTITY.length);
  }

  #has(fields: readonly number[], { words }: FileStatus, start: number): boolean {
    return fields.every((word, at) => words[word] === this.#words[start + at]);
  }
}

function isOnDeviceOf({ words }: FileStatus, other: FileStatus): boolean {
  return words[DEV_MAJOR] === other.words[DEV_MAJOR] && words[DEV_MINOR] === other.words[DEV_MINOR];
}

function isChangedBefore({ words }: FileStatus, other: FileStatus): boolean {
  for (const word of [CTIME + 1, CTIME, CTIME + 2]) {
    const difference = (words[word] ?? 0) - (other.words[word] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
