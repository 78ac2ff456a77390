import { stableMemory, wordsOf } from '../../syscalls/memory.js';
import type { Vector } from '../../syscalls/file-data.js';
import { copyFrom, copyTo } from '../../syscalls/shared-memory.js';

const IOVEC_BYTES = 16;
const FOUR_GIB = 0x1_0000_0000;

/** Memory of the guest in pieces, which are one message whatever their lengths. */
export class Pieces {
  readonly #addresses: number[] = [];
  readonly #lengths: number[] = [];
  #size = 0;
  /** An array of `struct iovec`. */
  #vector: Uint8Array = new Uint8Array();
  #words: Uint32Array = new Uint32Array();

  /** Bytes in all. */
  get size(): number {
    return this.#size;
  }

  get count(): number {
    return this.#lengths.length;
  }

  clear(): void {
    this.#addresses.length = 0;
    this.#lengths.length = 0;
    this.#size = 0;
  }

  add(address: number, length: number): void {
    this.#addresses.push(address);
    this.#lengths.push(length);
    this.#size += length;
  }

  /** Copies so many bytes from a place on. There are as many. @param into memory that does not move */
  copyTo(into: Uint8Array, skip: number, size: number): void {
    let at = 0;
    this.#walk(skip, size, (address, length) => {
      copyFrom(address, at === 0 ? into : into.subarray(at), length);
      at += length;
    });
  }

  /** Copies bytes to its beginning. There is room. @param from memory that does not move */
  copyFrom(from: Uint8Array): void {
    let at = 0;
    this.#walk(0, from.length, (address, length) => {
      copyTo(address, at === 0 ? from : from.subarray(at), length);
      at += length;
    });
  }

  /** A part of it for readv(2), valid until the next call. There are as many bytes. @returns how many pieces */
  vector(skip: number, size: number): Vector {
    if (this.#vector.length < this.count * IOVEC_BYTES) {
      this.#vector = stableMemory(this.count * IOVEC_BYTES);
      this.#words = wordsOf(this.#vector);
    }
    let word = 0;
    this.#walk(skip, size, (address, length) => {
      this.#words[word] = address;
      this.#words[word + 1] = Math.floor(address / FOUR_GIB);
      this.#words[word + 2] = length;
      this.#words[word + 3] = 0;
      word += 4;
    });
    return { bytes: this.#vector, count: word >> 2 };
  }

  #walk(skip: number, size: number, visit: (address: number, length: number) => void): void {
    for (let nth = 0; size > 0 && nth < this.#lengths.length; nth++) {
      const length = this.#lengths[nth] ?? 0;
      if (skip >= length) {
        skip -= length;
        continue;
      }
      const part = Math.min(size, length - skip);
      visit((this.#addresses[nth] ?? 0) + skip, part);
      size -= part;
      skip = 0;
    }
  }
}
