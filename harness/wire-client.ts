/**
 * A blocking client of a proxy helper: one request in flight, as QEMU does it. Blocking on purpose: a hundred thousand
 * round trips through the event loop would take minutes.
 */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import {
  addressOf,
  connectUnix,
  MSG_CMSG_CLOEXEC,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  recvmsg,
  send,
  setSocketTimeout,
  shutdown,
  SHUT_WR,
  socketpair,
  socketPeer,
  SystemError,
} from './libc.js';
import { requestTypes } from './requests.js';
import { patience } from './patience.js';

const SUCCESS = 0;
const ERROR = 1;
const DESCRIPTOR_FOLLOWS = 0x7fffffff;
const LARGEST_REPLY = 8 + 65_536;
const DEFAULT_TIMEOUT_S = 10 * patience;

export interface Reply {
  /** Everything that arrived, header included. */
  readonly bytes: Buffer;
  /** What follows the header; empty for a descriptor reply, which has none. */
  readonly payload: Buffer;
  /** 0 on success, else the positive errno. */
  readonly errno: number;
  /** The descriptor handed over; the caller closes it. */
  readonly descriptor: number | undefined;
}

/** The helper broke the protocol, or ended; the message says how. */
export class WireError extends Error {}

/** The reply of 4 bytes to a request for a descriptor. Throws a WireError where one and the other do not agree. */
export function descriptorReply(bytes: Buffer, descriptor: number | undefined): Reply {
  const status = bytes.readInt32LE(0);
  const payload = bytes.subarray(4);
  if (status === DESCRIPTOR_FOLLOWS && descriptor !== undefined)
    return { bytes, payload, errno: 0, descriptor };
  if (status < 0 && descriptor === undefined) return { bytes, payload, errno: -status, descriptor };
  throw new WireError(`descriptor reply ${status} with${descriptor === undefined ? 'out' : ''} a descriptor`);
}

// One fixed block of native memory: struct msghdr, struct iovec, room for control data, then the reply itself.
const HEADER_AT = 0;
const IOVEC_AT = 64;
const CONTROL_AT = 128;
const CONTROL_SIZE = 64;
const REPLY_AT = 256;
const CONTROL_LENGTH_AT = HEADER_AT + 40;
const FLAGS_AT = HEADER_AT + 48;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 8;

export class WireClient {
  readonly fd: number;
  #open = true;
  readonly #memory: Buffer;
  readonly #replyAddress: bigint;

  constructor(fd: number, timeoutSeconds = DEFAULT_TIMEOUT_S) {
    this.fd = fd;
    setSocketTimeout(fd, timeoutSeconds);
    const memory = new ArrayBuffer(REPLY_AT + LARGEST_REPLY + 4_096);
    const address = addressOf(memory);
    this.#memory = Buffer.from(memory);
    this.#replyAddress = address + BigInt(REPLY_AT);
    this.#memory.writeBigUInt64LE(address + BigInt(IOVEC_AT), HEADER_AT + 16);
    this.#memory.writeBigUInt64LE(1n, HEADER_AT + 24);
    this.#memory.writeBigUInt64LE(address + BigInt(CONTROL_AT), HEADER_AT + 32);
  }

  /** A client and the other end of its socket, which the helper is to inherit. */
  static pair(timeoutSeconds?: number): { client: WireClient; peer: number } {
    const [ours, peer] = socketpair();
    return { client: new WireClient(ours, timeoutSeconds), peer };
  }

  static connect(path: string, timeoutSeconds?: number): WireClient {
    return new WireClient(connectUnix(path), timeoutSeconds);
  }

  /** Sends one frame and waits for its reply. */
  request(bytes: Buffer): Reply {
    this.send(bytes);
    return this.receive(bytes.readUInt32LE(0));
  }

  /** Sends bytes as they are: any part of a frame, or several. */
  send(bytes: Buffer): void {
    let sent = 0;
    while (sent < bytes.length) sent += send(this.fd, bytes.subarray(sent), MSG_NOSIGNAL);
  }

  /** Sends what the socket takes without waiting; false once it takes no more. */
  trySend(bytes: Buffer): boolean {
    try {
      return send(this.fd, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) === bytes.length;
    } catch (error) {
      if (error instanceof SystemError && error.errno === constants.errno.EAGAIN) return false;
      throw error;
    }
  }

  /** Waits for the reply to a request of this type: descriptor replies have no header, all others have one. */
  receive(requestType: number): Reply {
    return requestType === requestTypes.OPEN || requestType === requestTypes.CREATE
      ? this.#receiveDescriptor()
      : this.#receivePayload();
  }

  /** Waits for bytes and gives them as they come, of whatever replies. Descriptors among them are closed. */
  receiveRaw(): Buffer {
    const length = this.#receiveSome(0, LARGEST_REPLY, CONTROL_SIZE);
    const descriptor = this.#receivedDescriptor();
    if (descriptor !== undefined) closeSync(descriptor);
    if (length === 0) throw new WireError('the helper closed the connection');
    return this.#copy(0, length);
  }

  /** Waits for exactly so many bytes, whatever they are. */
  receiveExactly(length: number): Buffer {
    let have = 0;
    while (have < length) {
      const more = this.#receiveSome(have, length - have, 0);
      if (more === 0) throw new WireError('the helper closed the connection');
      have += more;
    }
    return this.#copy(0, length);
  }

  /** True when the helper has closed its end and nothing is left to read. */
  atEnd(): boolean {
    return this.#receiveSome(0, 1, 0) === 0;
  }

  /** Says that no more requests come, while still listening. */
  finishSending(): void {
    shutdown(this.fd, SHUT_WR);
  }

  /** The process that was at the other end when the connection was made. */
  peerPid(): number {
    return socketPeer(this.fd);
  }

  close(): void {
    if (this.#open) closeSync(this.fd);
    this.#open = false;
  }

  #receiveDescriptor(): Reply {
    // Asking for more than four bytes shows a reply that is too long.
    const length = this.#receiveSome(0, 4_096, CONTROL_SIZE);
    if (length === 0) throw new WireError('the helper closed the connection instead of answering');
    const descriptor = this.#receivedDescriptor();
    const bytes = this.#copy(0, length);
    if (length !== 4) {
      throw new WireError(
        `a descriptor reply has ${length} bytes instead of 4: ${bytes.toString('hex', 0, 64)}`,
      );
    }
    return descriptorReply(bytes, descriptor);
  }

  #receivePayload(): Reply {
    let have = 0;
    let need = 8;
    while (have < need) {
      const length = this.#receiveSome(have, LARGEST_REPLY + 1 - have, CONTROL_SIZE);
      if (length === 0) {
        const part = have === 0 ? 'instead of answering' : `after ${have} of ${need} bytes of a reply`;
        throw new WireError(`the helper closed the connection ${part}`);
      }
      if (this.#receivedDescriptor() !== undefined) throw new WireError('a descriptor nobody asked for');
      have += length;
      if (have >= 8) need = 8 + this.#memory.readUInt32LE(REPLY_AT + 4);
      if (need > LARGEST_REPLY) throw new WireError(`a reply announces ${need - 8} bytes`);
    }
    const bytes = this.#copy(0, have);
    // One request is in flight, so whatever follows its reply would be taken for the answer to the next one.
    if (have > need)
      throw new WireError(`${have - need} extra bytes after a reply: ${bytes.toString('hex', 0, 64)}`);
    const type = bytes.readUInt32LE(0);
    const payload = bytes.subarray(8);
    if (type !== SUCCESS && type !== ERROR) throw new WireError(`a reply of type ${type}`);
    if (type === SUCCESS) return { bytes, payload, errno: 0, descriptor: undefined };
    const status = payload.length === 4 ? payload.readInt32LE(0) : 0;
    if (status >= 0) throw new WireError(`an error reply without an errno: ${bytes.toString('hex')}`);
    return { bytes, payload, errno: -status, descriptor: undefined };
  }

  #receiveSome(offset: number, room: number, controlRoom: number): number {
    this.#memory.writeBigUInt64LE(this.#replyAddress + BigInt(offset), IOVEC_AT);
    this.#memory.writeBigUInt64LE(BigInt(room), IOVEC_AT + 8);
    this.#memory.writeBigUInt64LE(BigInt(controlRoom), CONTROL_LENGTH_AT);
    for (;;) {
      try {
        return recvmsg(this.fd, this.#memory, MSG_CMSG_CLOEXEC);
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        if (error.errno === constants.errno.ECONNRESET) return 0;
        if (error.errno === constants.errno.EAGAIN) throw new WireError('no answer within the time allowed');
        // A receive with a timeout is never restarted after a signal (here: SIGCHLD of another helper).
        if (error.errno !== constants.errno.EINTR) throw error;
      }
    }
  }

  #receivedDescriptor(): number | undefined {
    if (this.#memory.readUInt32LE(CONTROL_LENGTH_AT) === 0) return undefined;
    const kind = this.#memory.readInt32LE(CONTROL_AT + 12);
    const descriptors = (this.#memory.readUInt32LE(CONTROL_AT) - 16) / 4;
    if (
      kind !== SCM_RIGHTS ||
      descriptors !== 1 ||
      (this.#memory.readUInt32LE(FLAGS_AT) & MSG_CTRUNC) !== 0
    ) {
      throw new WireError(`control data of kind ${kind} with ${descriptors} descriptors instead of one`);
    }
    return this.#memory.readInt32LE(CONTROL_AT + 16);
  }

  #copy(from: number, to: number): Buffer {
    return Buffer.from(this.#memory.subarray(REPLY_AT + from, REPLY_AT + to));
  }
}
