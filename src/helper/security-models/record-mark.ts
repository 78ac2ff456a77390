import { cString, stableMemory, wordsOf } from '../../syscalls/memory.js';
import { FileStatus, FileSystemStatus, fstatfs, fstatWithBirth } from '../../syscalls/status.js';
import { fgetxattr, fsetxattr } from '../../syscalls/xattrs.js';

const NAME = cString('user.virtfs.inode');

const { BIRTH_TIME, CTIME, DEV_MAJOR, DEV_MINOR, INO, MTIME } = FileStatus;
/** What no two inodes of a device have in common, also when one gets the number of another that is gone. */
const IDENTITY = [INO, INO + 1, BIRTH_TIME, BIRTH_TIME + 1, BIRTH_TIME + 2] as const;
/** A metadata file as it was when the mark was set: neither a copy nor what QEMU wrote over it has the same. */
const STATE = [...IDENTITY, MTIME, MTIME + 1, MTIME + 2] as const;
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
    if (fgetxattr(record, NAME, this.#value, BYTES) !== BYTES) return false;
    return this.#has(STATE, status, 0) && !this.#has(IDENTITY, object, STATE.length);
  }

  /** Marks a metadata file that was just written, if that can be. @param record a descriptor that is open for writing */
  set(record: number, object: FileStatus): void {
    const status = this.#status;
    if (fstatWithBirth(record, status) < 0 || fstatfs(record, this.#fileSystem) < 0) return;
    if (!KEEP_IDENTITY.has(this.#fileSystem.type) || !isOnDeviceOf(status, object)) return;
    if (!status.hasBirthTime || !object.hasBirthTime) return;
    STATE.forEach((word, at) => (this.#words[at] = status.words[word] ?? 0));
    IDENTITY.forEach((word, at) => (this.#words[STATE.length + at] = object.words[word] ?? 0));
    fsetxattr(record, NAME, this.#value, BYTES, 0);
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
