import { stableMemory, wordsOf } from '../../syscalls/memory.js';
import type { GuestMemory } from './guest-memory.js';
import { Pieces } from './pieces.js';
import type { SplitRing } from './split-ring.js';

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;
const DESCRIPTOR_BYTES = 16;
/** As many pieces as one system call takes: IOV_MAX. */
const MAX_PIECES = 1024;

/** Reads chains of descriptors into pieces of memory. */
export class ChainReader {
  readonly #ring: SplitRing;
  readonly #memory: GuestMemory;
  readonly #hasIndirect: boolean;
  readonly #descriptor = new Uint32Array(4);
  /** A copy of a table of descriptors, so that the guest cannot change it while it is looked at. */
  readonly #table = stableMemory(MAX_PIECES * DESCRIPTOR_BYTES);
  readonly #tableWords = wordsOf(this.#table);
  readonly #place = new Pieces();

  constructor(ring: SplitRing, memory: GuestMemory, hasIndirect: boolean) {
    this.#ring = ring;
    this.#memory = memory;
    this.#hasIndirect = hasIndirect;
  }

  /**
   * Reads the chain that begins with a descriptor.
   *
   * @returns what is wrong with it, or undefined
   */
  read(head: number, readable: Pieces, writable: Pieces): string | undefined {
    const { size } = this.#ring;
    const descriptor = this.#descriptor;
    let number = head;
    for (let seen = 0; seen < size; seen++) {
      if (number >= size) return `a descriptor ${number} in a ring of ${size}`;
      this.#ring.descriptor(number, descriptor);
      const word = descriptor[3] ?? 0;
      if ((word & INDIRECT) !== 0) {
        if ((word & NEXT) !== 0) return 'a table of descriptors and a next one';
        return this.#readTable(readable, writable);
      }
      const wrong = this.#append(descriptor, 0, readable, writable);
      if (wrong !== undefined) return wrong;
      if ((word & NEXT) === 0) return undefined;
      number = word >>> 16;
    }
    return 'a loop of descriptors';
  }

  #readTable(readable: Pieces, writable: Pieces): string | undefined {
    if (!this.#hasIndirect) return 'a table of descriptors that was not agreed on';
    const bytes = this.#descriptor[2] ?? 0;
    const count = bytes / DESCRIPTOR_BYTES;
    if (count < 1 || !Number.isInteger(count) || count > MAX_PIECES) return `a table of ${bytes} bytes`;
    const place = this.#place;
    place.clear();
    if (!this.#memory.translate(addressIn(this.#descriptor, 0), bytes, place))
      return 'a table of descriptors outside of memory';
    place.copyTo(this.#table, 0, bytes);
    let number = 0;
    for (let seen = 0; seen < count; seen++) {
      if (number >= count) return `a descriptor ${number} in a table of ${count}`;
      const at = 4 * number;
      const word = this.#tableWords[at + 3] ?? 0;
      if ((word & INDIRECT) !== 0) return 'a table in a table of descriptors';
      const wrong = this.#append(this.#tableWords, at, readable, writable);
      if (wrong !== undefined) return wrong;
      if ((word & NEXT) === 0) return undefined;
      number = word >>> 16;
    }
    return 'a loop in a table of descriptors';
  }

  #append(words: Uint32Array, at: number, readable: Pieces, writable: Pieces): string | undefined {
    const length = words[at + 2] ?? 0;
    const isWritable = ((words[at + 3] ?? 0) & WRITE) !== 0;
    if (!isWritable && writable.count > 0) return 'something to read behind something to write';
    if (!this.#memory.translate(addressIn(words, at), length, isWritable ? writable : readable))
      return 'an address outside of memory';
    return readable.count + writable.count > MAX_PIECES ? 'a chain that is too long' : undefined;
  }
}

/** An address beyond what a number is exact for is outside of memory in any case. */
const addressIn = (words: Uint32Array, at: number): number =>
  (words[at] ?? 0) + (words[at + 1] ?? 0) * 0x1_0000_0000;
