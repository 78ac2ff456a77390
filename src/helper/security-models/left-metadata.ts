import * as errno from '../../abi/errno.js';
import { isDots, readEntries } from '../../syscalls/directories.js';
import * as files from '../../syscalls/files.js';
import { stableMemory } from '../../syscalls/memory.js';
import { DIRECTORY, LINKS, metadataNames, ROOT_FILE } from './metadata-directory.js';

const { AT_FDCWD, AT_REMOVEDIR, O_DIRECTORY, O_NOFOLLOW } = files;
const ENTRIES_BYTES = 32_768;

/** Directories that are empty to the guest, while there is metadata in them still. */
export class LeftMetadata {
  readonly #entries = stableMemory(ENTRIES_BYTES);
  readonly #entryName = stableMemory(256);

  /** Empties a directory in which there is nothing but metadata of what is gone. @returns whether it is empty now */
  empty(name: Uint8Array): boolean {
    const directory = files.openat(AT_FDCWD, name, O_DIRECTORY | O_NOFOLLOW, 0);
    if (directory < 0) return false;
    const emptied = this.#forEach(directory, isMetadata) && this.#removeFrom(directory);
    files.close(directory);
    return emptied;
  }

  #removeFrom(parent: number): boolean {
    // of a directory that was an export itself
    const root = files.unlinkat(parent, ROOT_FILE, 0);
    if (root < 0 && root !== -errno.ENOENT) return false;
    const directory = files.openat(parent, DIRECTORY, O_DIRECTORY | O_NOFOLLOW, 0);
    if (directory === -errno.ENOENT) return true;
    // something of the host's in its place, which the guest cannot see either
    if (directory < 0) return files.unlinkat(parent, DIRECTORY, 0) >= 0;
    const removed = this.#removeLinks(directory) && this.#removeEntries(directory);
    files.close(directory);
    return removed && files.unlinkat(parent, DIRECTORY, AT_REMOVEDIR) >= 0;
  }

  /** The index that the metadata directory of an export may have. */
  #removeLinks(parent: number): boolean {
    const links = files.openat(parent, LINKS, O_DIRECTORY | O_NOFOLLOW, 0);
    if (links < 0) return true;
    const removed = this.#removeEntries(links);
    files.close(links);
    return removed && files.unlinkat(parent, LINKS, AT_REMOVEDIR) >= 0;
  }

  #removeEntries(directory: number): boolean {
    return this.#forEach(directory, (name) => files.unlinkat(directory, name, 0) >= 0);
  }

  /** Goes through the names of a directory, each with its NUL, as long as `step` agrees. @returns whether to the end */
  #forEach(directory: number, step: (name: Uint8Array) => boolean): boolean {
    for (;;) {
      const entries = readEntries(directory, this.#entries);
      if (typeof entries === 'number') return false;
      if (entries.length === 0) return true;
      for (const { name } of entries) {
        if (isDots(name)) continue;
        const { length } = name;
        if (length >= this.#entryName.length) return false;
        this.#entryName.set(name);
        this.#entryName[length] = 0;
        if (!step(this.#entryName.subarray(0, length + 1))) return false;
      }
    }
  }
}

function isMetadata(name: Uint8Array): boolean {
  return metadataNames.some((own) => name.every((byte, at) => byte === own[at]));
}
