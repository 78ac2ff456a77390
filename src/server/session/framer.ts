import { HEADER_BYTES } from '../p9/numbers.js';
import { littleEndian } from '../../syscalls/memory.js';
import type { MessageBuffer, MessageBuffers } from '../operations/message-buffers.js';

const SIZE_BYTES = 4;

/** A message in its buffer. */
export interface Framed {
  readonly buffer: MessageBuffer;
  readonly frame: Uint8Array;
}

/** Cuts a stream into messages, each in memory of its own. */
export class Framer {
  readonly #buffers: MessageBuffers;
  readonly #size = new Uint8Array(SIZE_BYTES);
  readonly #sizeView = new DataView(this.#size.buffer);
  #sizeBytes = 0;
  #message: Framed | undefined;
  #filled = 0;
  /** The longest message that the client may send. */
  limit = 0;

  constructor(buffers: MessageBuffers) {
    this.#buffers = buffers;
  }

  /** Whether the client stopped in the middle of a message. */
  get partial(): boolean {
    return this.#sizeBytes > 0;
  }

  /**
   * Takes bytes from the stream.
   *
   * @param whole is called for each message that is complete, which it then owns; says whether it wants another one
   * @returns how many bytes were taken, or why the stream cannot go on
   */
  take(bytes: Uint8Array, whole: (message: Framed) => boolean): number | string {
    let at = 0;
    while (at < bytes.length) {
      if (this.#message === undefined) {
        const part = bytes.subarray(at, at + SIZE_BYTES - this.#sizeBytes);
        this.#size.set(part, this.#sizeBytes);
        this.#sizeBytes += part.length;
        at += part.length;
        if (this.#sizeBytes < SIZE_BYTES) break;
        const size = this.#sizeView.getUint32(0, littleEndian);
        if (size < HEADER_BYTES) return `a message of ${size} bytes, less than its header`;
        if (size > this.limit) return `a message of ${size} bytes, more than the ${this.limit} agreed`;
        const buffer = this.#buffers.take(size);
        this.#message = { buffer, frame: buffer.bytes.subarray(0, size) };
        buffer.bytes.set(this.#size);
        this.#filled = SIZE_BYTES;
      }
      const message = this.#message;
      const part = bytes.subarray(at, at + message.frame.length - this.#filled);
      message.frame.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < message.frame.length) break;
      this.#message = undefined;
      this.#sizeBytes = 0;
      if (!whole(message)) break;
    }
    return at;
  }
}
