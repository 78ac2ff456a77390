/**
 * A guest's driver of the one ring of a vhost-user device, in the memory that its emulator shares. It does whatever it is
 * told to, and waits for nothing.
 */
import { closeSync, readSync, writeSync } from 'node:fs';
import koffi from 'koffi';
import { ask, type SharedMemory, u32, u64, USER } from './vhost-user.js';

const eventfd = koffi.load('libc.so.6').func('int eventfd(uint32_t, int)') as (
  count: number,
  flags: number,
) => number;
const EFD_NONBLOCK = 0o2004000; // and close on exec

export const NEXT = 1;
export const WRITE = 2;
export const INDIRECT = 4;

/** Where a ring of the guest is, of so many entries. */
export interface RingPlace {
  readonly at: number;
  readonly size: number;
}

/** An object of the kernel that counts how often somebody was told of something. */
export function counter(): number {
  return eventfd(0, EFD_NONBLOCK);
}

/** How often that was since the last look. */
export function countOf(descriptor: number): number {
  const count = Buffer.alloc(8);
  try {
    readSync(descriptor, count);
  } catch {
    return 0;
  }
  return Number(count.readBigUInt64LE());
}

/** A piece of a chain: what the device reads, or how much it may write. */
export type Piece = Buffer | number;

/** The guest's driver. */
export class RingDriver {
  readonly memory: SharedMemory;
  readonly place: RingPlace;
  readonly kick = counter();
  readonly call = counter();
  readonly #seen = { used: 0 };
  #available = 0;
  /** Where the next piece goes. */
  #next: number;

  /** @param data where pieces of requests are put */
  constructor(memory: SharedMemory, place: RingPlace, data: number) {
    this.memory = memory;
    this.place = place;
    this.#next = data;
    this.begin();
  }

  close(): void {
    closeSync(this.kick);
    closeSync(this.call);
  }

  get descriptors(): number {
    return this.place.at;
  }

  get available(): number {
    return this.place.at + 16 * this.place.size;
  }

  get used(): number {
    return Math.ceil((this.available + 6 + 2 * this.place.size) / 4) * 4;
  }

  /** Begins with an empty ring, whose entries are counted from a base on. */
  begin(base = 0): void {
    this.memory.at(this.place.at, this.used - this.place.at + 6 + 8 * this.place.size).fill(0);
    this.memory.at(this.available + 2, 2).writeUInt16LE(base);
    this.memory.at(this.used + 2, 2).writeUInt16LE(base);
    this.#available = this.#seen.used = base;
  }

  /** What an emulator says to set the ring up. */
  settingUp(
    base: number,
  ): readonly (readonly [request: number, payload: Buffer, files?: readonly number[]])[] {
    const addresses = [this.descriptors, this.used, this.available].map((at) => u64(USER + at));
    return [
      [ask.setVringNum, u32(0, this.place.size)],
      [ask.setVringAddr, Buffer.concat([u32(0, 0), ...addresses, u64(0)])],
      [ask.setVringBase, u32(0, base)],
      [ask.setVringCall, u64(0), [this.call]],
      [ask.setVringKick, u64(0), [this.kick]],
      [ask.setVringEnable, u32(0, 1)],
    ];
  }

  descriptor(number: number, address: number, length: number, flags: number, next = 0): void {
    const bytes = Buffer.concat([u64(address), u32(length, flags | (next << 16))]);
    bytes.copy(this.memory.at(this.descriptors + 16 * number, 16));
  }

  /** Makes the chain that begins with a descriptor available, without telling. */
  offer(head: number): void {
    const { size } = this.place;
    this.memory.at(this.available + 4 + 2 * (this.#available % size), 2).writeUInt16LE(head);
    this.#available = (this.#available + 1) & 0xffff;
    this.memory.at(this.available + 2, 2).writeUInt16LE(this.#available);
  }

  tell(): void {
    writeSync(this.kick, u64(1));
  }

  /** Puts pieces into memory and descriptors from `head` on. @returns where the pieces are */
  chain(head: number, pieces: readonly Piece[]): number[] {
    const places: number[] = [];
    pieces.forEach((piece, nth) => {
      const length = typeof piece === 'number' ? piece : piece.length;
      const at = this.#next;
      this.#next += length;
      if (typeof piece !== 'number' && length > 0) piece.copy(this.memory.at(at, length));
      const isLast = nth === pieces.length - 1;
      const flags = (typeof piece === 'number' ? WRITE : 0) | (isLast ? 0 : NEXT);
      this.descriptor(head + nth, at, length, flags, isLast ? 0 : head + nth + 1);
      places.push(at);
    });
    return places;
  }

  /** Forgets where pieces were put. */
  rewind(data: number): void {
    this.#next = data;
  }

  /** How far the device has come with giving back. */
  get usedIndex(): number {
    return this.memory.at(this.used + 2, 2).readUInt16LE();
  }

  /** The next chain that was given back, if there is one. */
  take(): { readonly head: number; readonly length: number } | undefined {
    if (this.usedIndex === this.#seen.used) return undefined;
    const entry = this.memory.at(this.used + 4 + 8 * (this.#seen.used % this.place.size), 8);
    this.#seen.used = (this.#seen.used + 1) & 0xffff;
    return { head: entry.readUInt32LE(0), length: entry.readUInt32LE(4) };
  }

  /** How often the guest was told of something since the last look. */
  calls(): number {
    return countOf(this.call);
  }
}
