import { seekDirectory } from '../../syscalls/file-data.js';
import { type DirectoryEntry, readEntries } from '../../syscalls/directories.js';
import { stableMemory } from '../../syscalls/memory.js';

const CHUNK_BYTES = 32_768;

/** Reads an open directory from any offset that it has told before. */
export class DirectoryStream {
  readonly #descriptor: number;
  #entries: readonly DirectoryEntry[] = [];
  #next = 0;
  /** Bytes of records that a client of 9P2000 has read: where it goes on. */
  told = 0;
  /** Where the next entry is. */
  #position = 0n;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** Goes to an offset: 0, or that of an entry. @returns 0, or -errno */
  seek(offset: number | bigint): number {
    const position = BigInt(offset);
    if (position === this.#position) return 0;
    // an entry that was read and did not fit into a reply
    const at = this.#entries.findIndex((entry) => entry.offset === position);
    if (position !== 0n && at >= 0) {
      this.#next = at + 1;
      this.#position = position;
      return 0;
    }
    const failed = seekDirectory(this.#descriptor, position);
    if (failed < 0) return failed;
    this.#entries = [];
    this.#next = 0;
    this.#position = position;
    return 0;
  }

  /** The entries from here on that are in memory; none at the end of the directory. @returns -errno when it cannot be read */
  peek(): readonly DirectoryEntry[] | number {
    if (this.#next === this.#entries.length) {
      const failed = this.#read();
      if (failed < 0) return failed;
    }
    return this.#next === 0 ? this.#entries : this.#entries.slice(this.#next);
  }

  /** Goes past some of what `peek` returned. */
  skip(count: number): void {
    this.#next += count;
    this.#position = this.#entries[this.#next - 1]?.offset ?? this.#position;
  }

  #read(): number {
    const entries = readEntries(this.#descriptor, stableMemory(CHUNK_BYTES));
    if (typeof entries === 'number') return entries;
    this.#entries = entries;
    this.#next = 0;
    return 0;
  }
}
