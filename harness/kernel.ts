/** System calls that only the attacks and their checks need. */
import { closeSync, readSync } from 'node:fs';
import koffi from 'koffi';
import { addressOf, SystemError } from './libc.js';

const libc = koffi.load('libc.so.6');
const inotifyInit1 = libc.func('int inotify_init1(int)') as (flags: number) => number;
const inotifyAddWatch = libc.func('int inotify_add_watch(int, str, uint32_t)') as (
  fd: number,
  path: string,
  mask: number,
) => number;
const sendmsg = libc.func('int64_t sendmsg(int, void *, int)') as (
  fd: number,
  header: Buffer,
  flags: number,
) => number;

function checked(call: string, result: number): number {
  if (result < 0) throw new SystemError(call, koffi.errno());
  return result;
}

const IN_NONBLOCK = 0o4000;
const IN_CLOEXEC = 0o2000000;
const events = {
  access: 0x1,
  modify: 0x2,
  attributes: 0x4,
  open: 0x20,
  create: 0x100,
  delete: 0x200,
} as const;

/**
 * Sees that files are opened, read or changed, whoever does it: inotify(7). An O_PATH descriptor is no opening, and
 * an open that the file itself refuses (a device without a driver) is not seen.
 */
export class OpenWatch {
  readonly #fd = checked('inotify_init1', inotifyInit1(IN_NONBLOCK | IN_CLOEXEC));
  readonly #paths = new Map<number, string>();
  readonly #space = Buffer.alloc(65_536);

  constructor(paths: readonly string[], what: readonly (keyof typeof events)[] = ['open']) {
    const mask = what.reduce((bits, event) => bits | events[event], 0);
    for (const path of paths) {
      this.#paths.set(checked('inotify_add_watch', inotifyAddWatch(this.#fd, path, mask)), path);
    }
  }

  /** What was seen since the last call. */
  take(): string[] {
    const seen: string[] = [];
    for (let length = this.#read(); length > 0; length = this.#read()) {
      for (let at = 0; at < length; at += 16 + this.#space.readUInt32LE(at + 12)) {
        const mask = this.#space.readUInt32LE(at + 4);
        const names = Object.entries(events).filter(([, bit]) => (mask & bit) !== 0);
        const path = this.#paths.get(this.#space.readInt32LE(at)) ?? 'more than the kernel keeps';
        seen.push(`${names.map(([name]) => name).join(', ')} of ${path}`);
      }
    }
    return seen;
  }

  #read(): number {
    try {
      return readSync(this.#fd, this.#space);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      throw error;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_NOSIGNAL = 0x4000;

/** Sends bytes with descriptors attached, as a helper may do and a client has no reason to. */
export function sendDescriptors(
  socket: number,
  bytes: Buffer,
  descriptors: readonly number[],
  flags = 0,
): void {
  const controlLength = 16 + 4 * descriptors.length;
  // a block well over 64 bytes does not move; see `addressOf`
  const memory = new ArrayBuffer(4_096 + bytes.length);
  const view = Buffer.from(memory);
  const address = addressOf(memory);
  view.writeBigUInt64LE(address + 64n, 16); // msg_iov
  view.writeBigUInt64LE(1n, 24);
  view.writeBigUInt64LE(address + 128n, 32); // msg_control
  view.writeBigUInt64LE(BigInt(controlLength), 40);
  view.writeBigUInt64LE(address + 4_096n, 64); // iov_base
  view.writeBigUInt64LE(BigInt(bytes.length), 72);
  view.writeBigUInt64LE(BigInt(controlLength), 128);
  view.writeInt32LE(SOL_SOCKET, 136);
  view.writeInt32LE(SCM_RIGHTS, 140);
  descriptors.forEach((descriptor, index) => view.writeInt32LE(descriptor, 144 + 4 * index));
  bytes.copy(view, 4_096);
  checked('sendmsg', sendmsg(socket, view, MSG_NOSIGNAL | flags));
}
