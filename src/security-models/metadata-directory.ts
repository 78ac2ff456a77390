import * as errno from '../syscalls/errno.js';
import * as files from '../syscalls/files.js';
import { stableMemory } from '../syscalls/memory.js';
import { FileStatus, lstat } from '../syscalls/status.js';

const { AT_FDCWD, AT_REMOVEDIR, O_DIRECTORY, O_NOFOLLOW, O_PATH } = files;
const DIRECTORY_MODE = 0o700;
const ENTRIES_BYTES = 32_768;

/** `struct linux_dirent64`: an entry's length and its name, which ends with a NUL: getdents(2). */
const ENTRY_LENGTH = 16;
const ENTRY_NAME = 19;
const DOT = 0x2e;

type TwoNames = (
  oldDirectory: number,
  oldName: Uint8Array,
  newName: Uint8Array,
  newDirectory: number,
) => number;

/**
 * The directory beside some objects that has a metadata file for each. It is always used through a descriptor, as a
 * link of the same name must not be followed.
 */
export class MetadataDirectory {
  readonly #name: Uint8Array;
  readonly #entries = stableMemory(ENTRIES_BYTES);
  readonly #lengths = new DataView(this.#entries.buffer);
  readonly #entryName = stableMemory(256);
  readonly #status = new FileStatus();

  constructor(name: Uint8Array) {
    this.#name = name;
  }

  /** Makes that of the working directory, if there is none. */
  make(): number {
    const made = files.mkdir(this.#name, DIRECTORY_MODE);
    return made === -errno.EEXIST ? 0 : made;
  }

  /** Makes sure that the file of an object that comes from elsewhere has a place in the working directory. */
  prepare(oldDirectory: number, oldName: Uint8Array): number {
    const from = this.#open(oldDirectory);
    if (from < 0) return 0;
    const found = lstat(oldName, this.#status, from);
    files.close(from);
    return found < 0 ? 0 : this.make();
  }

  /** Links or renames the file of an object as the object was. What was recorded under the new name is gone first. */
  move(oldDirectory: number, oldName: Uint8Array, newName: Uint8Array, call: TwoNames): number {
    const failed = this.remove(newName);
    if (failed < 0) return failed;
    const from = this.#open(oldDirectory);
    const to = this.#open(AT_FDCWD);
    // nothing is recorded of the object where there is no directory
    const moved = from < 0 ? 0 : to < 0 ? to : call(from, oldName, newName, to);
    if (from >= 0) files.close(from);
    if (to >= 0) files.close(to);
    return moved === -errno.ENOENT ? 0 : moved;
  }

  /** Removes the file of an object of the working directory. @returns 0, also when there was none, or -errno */
  remove(name: Uint8Array): number {
    const directory = this.#open(AT_FDCWD);
    if (directory < 0) return directory === -errno.ENOENT || directory === -errno.ENOTDIR ? 0 : directory;
    const removed = files.unlinkat(directory, name, 0);
    files.close(directory);
    return removed === -errno.ENOENT ? 0 : removed;
  }

  /** Empties a directory in which there is nothing but metadata of what is gone. @returns whether it is empty now */
  empty(name: Uint8Array): boolean {
    const directory = files.openat(AT_FDCWD, name, O_DIRECTORY | O_NOFOLLOW, 0);
    if (directory < 0) return false;
    const emptied = this.#hasOnlyMetadata(directory) && this.#removeFrom(directory);
    files.close(directory);
    return emptied;
  }

  #open(parent: number): number {
    return files.openat(parent, this.#name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
  }

  #hasOnlyMetadata(directory: number): boolean {
    return this.#forEach(directory, (name) => name.every((byte, at) => byte === this.#name[at]));
  }

  #removeFrom(parent: number): boolean {
    const directory = files.openat(parent, this.#name, O_DIRECTORY | O_NOFOLLOW, 0);
    if (directory < 0) return false;
    const removed = this.#forEach(directory, (name) => files.unlinkat(directory, name, 0) >= 0);
    files.close(directory);
    return removed && files.unlinkat(parent, this.#name, AT_REMOVEDIR) >= 0;
  }

  /** Goes through the names of a directory, each with its NUL, as long as `step` agrees. @returns whether to the end */
  #forEach(directory: number, step: (name: Uint8Array) => boolean): boolean {
    for (;;) {
      const length = files.getdents(directory, this.#entries);
      if (length <= 0) return length === 0;
      for (let at = 0; at < length; at += this.#lengths.getUint16(at + ENTRY_LENGTH, true)) {
        const start = at + ENTRY_NAME;
        const end = this.#entries.indexOf(0, start) + 1;
        const size = end - start - 1;
        const isDots =
          this.#entries[start] === DOT && (size === 1 || (size === 2 && this.#entries[start + 1] === DOT));
        if (isDots) continue;
        if (size >= this.#entryName.length) return false;
        this.#entryName.set(this.#entries.subarray(start, end));
        if (!step(this.#entryName.subarray(0, size + 1))) return false;
      }
    }
  }
}
