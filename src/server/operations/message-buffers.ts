import { addressOf } from '../../syscalls/libc.js';
import { stableMemory } from '../../syscalls/memory.js';

/** Memory for one message, which the kernel can read from and write to while other messages come and go. */
export interface MessageBuffer {
  readonly bytes: Uint8Array;
  readonly address: bigint;
}

/** Most messages fit: all but those with data. */
const SMALL_BYTES = 8192;

/**
 * Buffers for messages in two sizes. One that was given back is used again, and none is ever freed: what there is at most
 * is bounded by the limit on requests.
 */
export class MessageBuffers {
  readonly #small: MessageBuffer[] = [];
  readonly #large: MessageBuffer[] = [];
  readonly #largeBytes: number;

  /** @param maxMessageBytes the longest message there is */
  constructor(maxMessageBytes: number) {
    this.#largeBytes = Math.max(maxMessageBytes, SMALL_BYTES);
  }

  /** @param size at most that of the longest message */
  take(size: number): MessageBuffer {
    const [free, bytes] = size <= SMALL_BYTES ? [this.#small, SMALL_BYTES] : [this.#large, this.#largeBytes];
    const buffer = free.pop();
    if (buffer !== undefined) return buffer;
    const memory = stableMemory(bytes);
    return { bytes: memory, address: addressOf(memory) };
  }

  give(buffer: MessageBuffer): void {
    (buffer.bytes.length === SMALL_BYTES ? this.#small : this.#large).push(buffer);
  }
}
