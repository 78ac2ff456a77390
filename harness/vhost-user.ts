/**
 * The other side of vhost-user, apart from `src/`: an emulator that shares memory with the server. It does whatever it is
 * told to, right or wrong, and waits for nothing.
 */
import { closeSync, ftruncateSync } from 'node:fs';
import koffi from 'koffi';
import { MSG_DONTWAIT, MSG_NOSIGNAL } from './libc.js';

const libc = koffi.load('libc.so.6');
const c = {
  memfd: libc.func('int memfd_create(const char *, uint32_t)') as (name: string, flags: number) => number,
  mmap: libc.func('void *mmap(int64_t, size_t, int, int, int, int64_t)') as (...given: unknown[]) => bigint,
  munmap: libc.func('int munmap(void *, size_t)') as (address: bigint, size: number) => number,
  sendmsg: libc.func('int64_t sendmsg(int, void *, int)') as (...given: unknown[]) => number,
  recv: libc.func('int64_t recv(int, void *, size_t, int)') as (...given: unknown[]) => number,
};
const MFD_ALLOW_SEALING = 3; // and close on exec

export const ask = {
  getFeatures: 1,
  setFeatures: 2,
  setOwner: 3,
  setMemTable: 5,
  setVringNum: 8,
  setVringAddr: 9,
  setVringBase: 10,
  getVringBase: 11,
  setVringKick: 12,
  setVringCall: 13,
  setVringErr: 14,
  getProtocolFeatures: 15,
  setProtocolFeatures: 16,
  getQueueNum: 17,
  setVringEnable: 18,
  setBackendReqFd: 21,
  getConfig: 24,
  resetDevice: 34,
  getMaxMemSlots: 36,
  addMemReg: 37,
  remMemReg: 38,
  setStatus: 39,
  getStatus: 40,
};
/** Where the emulator has what the guest has at 0. */
export const USER = 0x7f00_0000_0000;
export const VERSION = 1;
export const NEED_REPLY = 8;

export const u64 = (value: number | bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return bytes;
};
export const u32 = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, nth) => bytes.writeUInt32LE(value >>> 0, 4 * nth));
  return bytes;
};

export interface Region {
  readonly guest: number;
  readonly size: number;
  /** Where it is in its file. */
  readonly offset: number;
}

/** Memory in files, one for each region. */
export class SharedMemory {
  readonly parts: (Region & { readonly file: number; readonly bytes: Buffer })[] = [];

  constructor(regions: readonly Region[]) {
    for (const region of regions) this.add(region);
  }

  /** Nobody may look at any of it any more. */
  close(): void {
    for (const { file, bytes } of this.parts.splice(0)) {
      closeSync(file);
      c.munmap(koffi.address(bytes), bytes.length);
    }
  }

  add(region: Region): void {
    const file = c.memfd('guest', MFD_ALLOW_SEALING);
    ftruncateSync(file, region.offset + region.size);
    const address = c.mmap(0, region.size, 3, 1, file, region.offset);
    this.parts.push({ ...region, file, bytes: Buffer.from(koffi.view(address, region.size)) });
  }

  /** A view of the guest's memory, inside one region. */
  at(guest: number, size: number): Buffer {
    const part = this.parts.find((each) => guest >= each.guest && guest + size <= each.guest + each.size);
    if (part === undefined) throw new Error(`the test has no memory at ${guest}`);
    return part.bytes.subarray(guest - part.guest, guest - part.guest + size);
  }

  /** All of it, for one message. */
  table(): Buffer {
    return Buffer.concat([
      u32(this.parts.length, 0),
      ...this.parts.map((part) => SharedMemory.describe(part)),
    ]);
  }

  files(): number[] {
    return this.parts.map(({ file }) => file);
  }

  static describe({ guest, size, offset }: Region): Buffer {
    return Buffer.concat([u64(guest), u64(size), u64(USER + guest), u64(offset)]);
  }
}

/** The emulator's end of the socket. */
export class EmulatorSocket {
  readonly socket: number;
  readonly #header = Buffer.alloc(8192);
  readonly #address = koffi.address(this.#header);
  #received: Buffer = Buffer.alloc(0);
  hasEnded = false;

  constructor(socket: number) {
    this.socket = socket;
  }

  close(): void {
    if (!this.hasEnded) closeSync(this.socket);
    this.hasEnded = true;
  }

  /** Sends bytes with descriptors. @returns bytes that were sent, or -1 */
  sendBytes(bytes: Buffer, files: readonly number[] = []): number {
    if (this.hasEnded) return -1;
    const header = this.#header.fill(0, 0, 2048);
    header.writeBigUInt64LE(this.#address + 64n, 16);
    header.writeBigUInt64LE(1n, 24);
    header.writeBigUInt64LE(this.#address + 2048n, 64);
    header.writeBigUInt64LE(BigInt(bytes.length), 72);
    bytes.copy(header, 2048);
    if (files.length > 0) {
      header.writeBigUInt64LE(this.#address + 128n, 32);
      header.writeBigUInt64LE(BigInt(16 + 4 * files.length + (files.length % 2) * 4), 40);
      header.writeBigUInt64LE(BigInt(16 + 4 * files.length), 128);
      header.writeInt32LE(1, 136);
      header.writeInt32LE(1, 140);
      files.forEach((file, nth) => header.writeInt32LE(file, 144 + 4 * nth));
    }
    return c.sendmsg(this.socket, header, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  send(
    request: number,
    payload: Buffer = Buffer.alloc(0),
    files: readonly number[] = [],
    flags = VERSION,
  ): void {
    this.sendBytes(Buffer.concat([u32(request, flags, payload.length), payload]), files);
  }

  /** The payload of the next reply; undefined where the server has ended the connection, null where there is none yet. */
  receive(): Buffer | undefined | null {
    const bytes = Buffer.alloc(8192);
    const length = this.hasEnded ? 0 : c.recv(this.socket, bytes, bytes.length, MSG_DONTWAIT);
    if (length > 0) this.#received = Buffer.concat([this.#received, bytes.subarray(0, length)]);
    const size = this.#received.length < 12 ? Infinity : 12 + this.#received.readUInt32LE(8);
    if (this.#received.length < size) return length === 0 ? undefined : null;
    const payload = this.#received.subarray(12, size);
    this.#received = this.#received.subarray(size);
    return payload;
  }

  /** Drops what was answered until now. @returns how many bytes */
  discard(): number {
    const bytes = Buffer.alloc(8192);
    let dropped = this.#received.length;
    this.#received = Buffer.alloc(0);
    for (let length = 1; length > 0; dropped += Math.max(length, 0))
      length = this.hasEnded ? 0 : c.recv(this.socket, bytes, bytes.length, MSG_DONTWAIT);
    return dropped;
  }
}
