import { FileStatus } from '../../syscalls/status.js';

/** Numbers that JavaScript programs of the guest still tell apart, above those that a disk's file system gives: 2^52 to 2^53. */
const SLOTS = 0x10_0000;
/** Devices that get a slot. With more the state would grow as the host mounts and unmounts. */
const MAX_DEVICES = 4096;
const ROUNDS = [0x9e37_79b9, 0x3c6e_f372, 0xdaa6_6d2b, 0x78dd_e6e4];

/**
 * Inode numbers of the export's other devices, which the guest takes for one file system. A number of 32 bits, which is
 * what nearly all file systems give, gets the device's own upper half and so is unique. A longer one, or one of a device
 * beyond MAX_DEVICES, is mixed with the device to 64 bits: unique within its device, and among all but for one chance in
 * 2^64 for each pair of files.
 *
 * A device's slot follows from its number alone, unless another device has it. So numbers stay when the helper is
 * started again, as long as the host has the file system mounted.
 */
export class InodeNumbers {
  readonly #slots = new Map<number, number>();
  readonly #taken = new Set<number>();
  #lastDevice = -1;
  #lastSlot = -1;

  /** Replaces the inode number in `words`, which are those of a FileStatus. */
  replace(words: Uint32Array): void {
    const device = deviceOf(words);
    const low = words[FileStatus.INO] ?? 0;
    const high = words[FileStatus.INO + 1] ?? 0;
    const slot = high === 0 ? this.#slotOf(device) : -1;
    if (slot < 0) mix(words, low, high, device);
    else words[FileStatus.INO + 1] = SLOTS | slot;
  }

  /** @returns the slot of a device, or -1 when there are too many */
  #slotOf(device: number): number {
    if (device === this.#lastDevice) return this.#lastSlot;
    const slot = this.#slots.get(device) ?? this.#take(device);
    this.#lastDevice = device;
    this.#lastSlot = slot;
    return slot;
  }

  #take(device: number): number {
    if (this.#slots.size === MAX_DEVICES) return -1;
    let slot = scatter(device) % SLOTS;
    while (this.#taken.has(slot)) slot = (slot + 1) % SLOTS;
    this.#taken.add(slot);
    this.#slots.set(device, slot);
    return slot;
  }
}

/** `dev_t` of the kernel, of 12 and 20 bits. */
function deviceOf(words: Uint32Array): number {
  return (((words[FileStatus.DEV_MAJOR] ?? 0) << 20) | (words[FileStatus.DEV_MINOR] ?? 0)) >>> 0;
}

/** A Feistel network over the two halves: no two inodes of a device become one. */
function mix(words: Uint32Array, low: number, high: number, device: number): void {
  let [left, right] = [high, low];
  for (const round of ROUNDS) {
    const mixed = left ^ scatter(right ^ scatter(device ^ round));
    left = right;
    right = mixed;
  }
  words[FileStatus.INO] = right;
  words[FileStatus.INO + 1] = left;
}

/** Changes about half of the 32 bits for every bit that is another; a permutation of all numbers. */
function scatter(number: number): number {
  let bits = number;
  bits = Math.imul(bits ^ (bits >>> 16), 0x21f0_aaad);
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a_2d97);
  return (bits ^ (bits >>> 15)) >>> 0;
}
