import { viewOf } from '../../syscalls/shared-memory.js';

/** Where the parts of a ring are in this process. */
export interface RingAddresses {
  readonly descriptors: number;
  readonly available: number;
  readonly used: number;
}

/** Bytes of the parts. */
export const descriptorBytes = (size: number): number => 16 * size;
export const availableBytes = (size: number): number => 6 + 2 * size;
export const usedBytes = (size: number): number => 6 + 8 * size;

const NO_INTERRUPT = 1;

/**
 * The split virtqueue of the virtio specification, seen from the device. The guest may write to it at any time, whatever
 * the specification says: all is read once, and then looked at.
 *
 * Its views are of memory that is unmapped some time after the ring has been stopped: nobody may have them then.
 */
export class SplitRing {
  readonly size: number;
  /** Four words each: address, its upper half, length, and flags with the next one above them. */
  readonly #descriptors: Uint32Array;
  /** Flags, index, entries, and the entry that the guest wants to hear of. */
  readonly #available: Uint16Array;
  /** The same of the device, where each entry has two words. */
  readonly #used: Uint16Array;
  readonly #entries: Uint32Array;
  readonly #hasEvents: boolean;
  /** The next available entry, and the next used one: modulo 65,536. */
  #next: number;
  #usedIndex: number;
  #told: number;

  constructor(addresses: RingAddresses, size: number, base: number, hasEvents: boolean) {
    this.size = size;
    this.#descriptors = new Uint32Array(viewOf(addresses.descriptors, descriptorBytes(size)));
    this.#available = new Uint16Array(viewOf(addresses.available, availableBytes(size)));
    const used = viewOf(addresses.used, usedBytes(size));
    this.#used = new Uint16Array(used);
    this.#entries = new Uint32Array(used, 4, 2 * size);
    this.#hasEvents = hasEvents;
    this.#next = base;
    this.#usedIndex = this.#told = Atomics.load(this.#used, 1);
  }

  /** Where a ring that takes its place goes on. */
  get base(): number {
    return this.#next;
  }

  /** How many entries the guest has made available; more than there are in a ring when it has gone mad. */
  get waiting(): number {
    return (Atomics.load(this.#available, 1) - this.#next) & 0xffff;
  }

  /** Takes the next entry: the number of its first descriptor, whatever that is. There is one. */
  take(): number {
    const head = this.#available[2 + (this.#next & (this.size - 1))] ?? 0;
    this.#next = (this.#next + 1) & 0xffff;
    return head;
  }

  /** Copies a descriptor. @param number one of the ring's */
  descriptor(number: number, into: Uint32Array): void {
    const at = 4 * number;
    for (let word = 0; word < 4; word++) into[word] = this.#descriptors[at + word] ?? 0;
  }

  /** Asks the guest to tell of the next entry. What it has added since the last look it may not tell of. */
  askForKick(): void {
    if (this.#hasEvents) Atomics.store(this.#used, 2 + 4 * this.size, this.#next);
  }

  /** Has the guest tell of nothing: somebody looks all the time, and asks again before he sleeps. */
  declineKick(): void {
    if (this.#hasEvents) Atomics.store(this.#used, 2 + 4 * this.size, (this.#next - 1) & 0xffff);
  }

  /** Gives an entry back. @param written bytes */
  give(head: number, written: number): void {
    const at = 2 * (this.#usedIndex & (this.size - 1));
    this.#entries[at] = head;
    this.#entries[at + 1] = written;
    this.#usedIndex = (this.#usedIndex + 1) & 0xffff;
    Atomics.store(this.#used, 1, this.#usedIndex);
  }

  /** Whether the guest wants to hear of what it was given since this was asked. */
  shallTell(): boolean {
    const before = this.#told;
    const given = (this.#usedIndex - before) & 0xffff;
    if (given === 0) return false;
    this.#told = this.#usedIndex;
    if (!this.#hasEvents) return (Atomics.load(this.#available, 0) & NO_INTERRUPT) === 0;
    const event = Atomics.load(this.#available, 2 + this.size);
    return ((this.#usedIndex - event - 1) & 0xffff) < given;
  }
}
