import { addressOf, declareInt } from './libc.js';
import { littleEndian, stableMemory } from './memory.js';
import { withoutLinger } from './stranger.js';

/** Bytes with open descriptors beside them (SCM_RIGHTS): unix(7), cmsg(3). */
const libc = {
  sendmsg: declareInt('sendmsg', 'int', 'void *', 'int'),
  recvmsg: declareInt('recvmsg', 'int', 'void *', 'int'),
};

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x08;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;

/** No message carries more descriptors: SCM_MAX_FD. */
const MAX_DESCRIPTORS = 253;
/** `struct cmsghdr`: its length, level and type; each begins at a multiple of 8. */
const CMSG_HEADER_BYTES = 16;
/** With room for credentials, which the kernel puts in front. */
const CONTROL_BYTES = 2048;

/** Where control data begins in the memory of a message, and what its first header is about. */
const CONTROL = 128;
const CONTROL_DATA = CONTROL + CMSG_HEADER_BYTES;

/** `struct msghdr` at 0, `struct iovec` at 64, the control data at 128. */
class Message {
  readonly #memory: Uint8Array<ArrayBuffer>;
  readonly address: bigint;
  readonly view: DataView;

  constructor(controlBytes: number) {
    this.#memory = stableMemory(CONTROL + controlBytes);
    this.address = addressOf(this.#memory);
    this.view = new DataView(this.#memory.buffer);
    this.#setLong(16, this.address + 64n); // msg_iov
    this.#setLong(24, 1n); // msg_iovlen
    this.#setLong(32, this.address + BigInt(CONTROL)); // msg_control
    this.controlBytes = controlBytes;
  }

  /** Where the bytes are to come from or to go. */
  setData(address: bigint, size: number): void {
    this.#setLong(64, address);
    this.view.setUint32(72, size, littleEndian);
  }

  /** Room for control data; afterwards what the kernel used of it. */
  get controlBytes(): number {
    return this.view.getUint32(40, littleEndian);
  }

  set controlBytes(bytes: number) {
    this.view.setUint32(40, bytes, littleEndian);
  }

  get flags(): number {
    return this.view.getUint32(48, littleEndian);
  }

  #setLong(at: number, value: bigint): void {
    this.view.setBigUint64(at, value, littleEndian);
  }
}

/** Sends bytes with one descriptor, which goes along with the first of them. */
export class DescriptorSender {
  readonly #message = new Message(24); // CMSG_SPACE(sizeof(int))

  constructor() {
    const { view } = this.#message;
    view.setUint32(CONTROL, 20, littleEndian); // cmsg_len = CMSG_LEN(sizeof(int))
    view.setInt32(CONTROL + 8, SOL_SOCKET, littleEndian);
    view.setInt32(CONTROL + 12, SCM_RIGHTS, littleEndian);
  }

  /** Sends what fits without waiting. @param from an address. @returns bytes, or -errno (EAGAIN, EPIPE, ETOOMANYREFS) */
  send(socket: number, from: bigint, size: number, descriptor: number): number {
    this.#message.setData(from, size);
    this.#message.view.setInt32(CONTROL_DATA, descriptor, littleEndian);
    return libc.sendmsg(socket, this.#message.address, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
}

/**
 * Receives bytes with the descriptors that came with them. There is room for all that a message can carry, since the
 * kernel closes what does not fit, and a close can wait: `stranger.ts`.
 *
 * What the kernel gives at once ends with the first message that carries descriptors.
 */
export class DescriptorReceiver {
  readonly #message: Message;
  readonly #controlBytes: number;
  /** What came with the bytes that were received last, O_CLOEXEC. */
  readonly descriptors: number[] = [];

  constructor(controlBytes = CONTROL_BYTES) {
    this.#message = new Message(controlBytes);
    this.#controlBytes = controlBytes;
  }

  /** Takes what is there without waiting. @param into an address. @returns bytes, 0 at the end of the stream, or -errno */
  receive(socket: number, into: bigint, size: number): number {
    return this.#receive(socket, into, size, MSG_DONTWAIT);
  }

  /** Waits for bytes as `receiveWaiting` of sockets does. */
  receiveWaiting(socket: number, into: bigint, size: number): number {
    return this.#receive(socket, into, size, 0);
  }

  #receive(socket: number, into: bigint, size: number, flags: number): number {
    const message = this.#message;
    // even to set it to what it is takes V8 longer than all the rest of this
    if (this.descriptors.length > 0) this.descriptors.length = 0;
    message.controlBytes = this.#controlBytes;
    message.setData(into, size);
    const bytes = libc.recvmsg(socket, message.address, flags | MSG_CMSG_CLOEXEC);
    if (bytes > 0 && message.controlBytes > 0) this.#collect(CONTROL + message.controlBytes);
    return bytes;
  }

  /** Whether the kernel could not pass on all of them: RLIMIT_NOFILE. */
  get isCut(): boolean {
    return (this.#message.flags & MSG_CTRUNC) !== 0;
  }

  #collect(end: number): void {
    const { view } = this.#message;
    for (let at = CONTROL; at + CMSG_HEADER_BYTES <= end;) {
      const length = view.getUint32(at, littleEndian);
      if (length < CMSG_HEADER_BYTES) return;
      const level = view.getInt32(at + 8, littleEndian);
      if (level === SOL_SOCKET && view.getInt32(at + 12, littleEndian) === SCM_RIGHTS) {
        const count = Math.min((length - CMSG_HEADER_BYTES) >> 2, MAX_DESCRIPTORS);
        for (let nth = 0; nth < count; nth++)
          this.descriptors.push(view.getInt32(at + CMSG_HEADER_BYTES + 4 * nth, littleEndian));
      }
      at += (length + 7) & ~7;
    }
  }
}

/**
 * Receives bytes, and takes no descriptor: the kernel closes those that came, all within one call, and has no file flushed,
 * for which the server of a FUSE file system could be waited for.
 */
export class DescriptorRefuser extends DescriptorReceiver {
  constructor() {
    super(0);
  }

  override receive(socket: number, into: bigint, size: number): number {
    return withoutLinger(() => super.receive(socket, into, size));
  }

  override receiveWaiting(socket: number, into: bigint, size: number): number {
    return withoutLinger(() => super.receiveWaiting(socket, into, size));
  }
}
