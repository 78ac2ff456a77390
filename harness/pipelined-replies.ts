/**
 * Reads replies one by one and not a byte more, for a client that sends several requests before it reads: what
 * `WireClient` rightly takes for an error of the helper.
 */
import { constants } from 'node:os';
import { addressOf, MSG_CMSG_CLOEXEC, MSG_DONTWAIT, recvmsg, SystemError } from './libc.js';
import { requestTypes } from './requests.js';
import { descriptorReply, type Reply, WireError } from './wire-client.js';

const IOVEC_AT = 64;
const CONTROL_AT = 128;
const CONTROL_LENGTH_AT = 40;
const CONTROL_SIZE = 64;
const DATA_AT = 256;
const HEADER = 8;
const LARGEST_PAYLOAD = 65_536;
const MSG_PEEK = 2;

export class PipelinedReplies {
  readonly #socket: number;
  readonly #memory: Buffer;
  readonly #address: bigint;

  constructor(socket: number) {
    this.#socket = socket;
    const memory = new ArrayBuffer(DATA_AT + HEADER + LARGEST_PAYLOAD);
    this.#address = addressOf(memory);
    this.#memory = Buffer.from(memory);
    this.#memory.writeBigUInt64LE(this.#address + BigInt(IOVEC_AT), 16);
    this.#memory.writeBigUInt64LE(1n, 24);
    this.#memory.writeBigUInt64LE(this.#address + BigInt(CONTROL_AT), 32);
  }

  /** The reply to the oldest request that is not answered yet. */
  receive(requestType: number): Reply {
    const isDescriptor = requestType === requestTypes.OPEN || requestType === requestTypes.CREATE;
    return isDescriptor ? this.#descriptorReply() : this.#payloadReply();
  }

  /** Whether a reply (or the end) is there already. */
  ready(): boolean {
    try {
      // without room for a descriptor, of which looking would make a copy
      this.#receive(0, 1, MSG_DONTWAIT | MSG_PEEK, 0);
      return true;
    } catch (error) {
      if (error instanceof WireError) return false;
      throw error;
    }
  }

  #descriptorReply(): Reply {
    const descriptor = this.#exactly(0, 4);
    return descriptorReply(this.#copy(4), descriptor);
  }

  #payloadReply(): Reply {
    if (this.#exactly(0, HEADER) !== undefined) throw new WireError('a descriptor nobody asked for');
    const type = this.#memory.readUInt32LE(DATA_AT);
    const size = this.#memory.readUInt32LE(DATA_AT + 4);
    if (type > 1 || size > LARGEST_PAYLOAD) throw new WireError(`a reply of type ${type} and ${size} bytes`);
    this.#exactly(HEADER, size);
    const bytes = this.#copy(HEADER + size);
    const payload = bytes.subarray(HEADER);
    if (type === 0) return { bytes, payload, errno: 0, descriptor: undefined };
    const status = size === 4 ? payload.readInt32LE(0) : 0;
    if (status >= 0) throw new WireError(`an error reply without an errno: ${bytes.toString('hex')}`);
    return { bytes, payload, errno: -status, descriptor: undefined };
  }

  /** @returns a descriptor that came along */
  #exactly(from: number, length: number): number | undefined {
    let descriptor: number | undefined;
    for (let have = 0; have < length;) {
      const received = this.#receive(from + have, length - have, MSG_CMSG_CLOEXEC);
      if (received === 0) throw new WireError('the helper closed the connection instead of answering');
      if (this.#memory.readUInt32LE(CONTROL_LENGTH_AT) > 0)
        descriptor = this.#memory.readInt32LE(CONTROL_AT + 16);
      have += received;
    }
    return descriptor;
  }

  #receive(from: number, length: number, flags: number, controlSize = CONTROL_SIZE): number {
    const memory = this.#memory;
    memory.writeBigUInt64LE(this.#address + BigInt(DATA_AT + from), IOVEC_AT);
    memory.writeBigUInt64LE(BigInt(length), IOVEC_AT + 8);
    for (;;) {
      memory.writeBigUInt64LE(BigInt(controlSize), CONTROL_LENGTH_AT);
      try {
        return recvmsg(this.#socket, memory, flags);
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        if (error.errno === constants.errno.ECONNRESET) return 0;
        if (error.errno === constants.errno.EAGAIN) throw new WireError('no answer within the time allowed');
        if (error.errno !== constants.errno.EINTR) throw error;
      }
    }
  }

  #copy(length: number): Buffer {
    return Buffer.from(this.#memory.subarray(DATA_AT, DATA_AT + length));
  }
}
