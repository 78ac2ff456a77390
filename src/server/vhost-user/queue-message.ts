import { readVector, writeVector } from '../../syscalls/file-data.js';
import { stableMemory } from '../../syscalls/memory.js';
import type { Message } from '../operations/message.js';
import type { MessageBuffer, MessageBuffers } from '../operations/message-buffers.js';
import { messages } from '../p9/messages.js';
import { READ_HEADER_BYTES, TYPE_OFFSET, WRITE_HEADER_BYTES } from '../p9/numbers.js';
import { Pieces } from './pieces.js';

/** Gives a chain back to the guest. @param written bytes of the reply */
type Give = (message: QueueMessage, written: number) => void;

/**
 * A request in a chain of descriptors. What is decoded is a copy, which the guest cannot change meanwhile; data of files
 * are read and written where the guest has them.
 */
export class QueueMessage implements Message {
  readonly readable = new Pieces();
  readonly writable = new Pieces();
  /** The first descriptor of the chain. */
  head = 0;
  frame: Uint8Array = new Uint8Array();
  absent = 0;
  arrived = 0;
  readonly #buffers: MessageBuffers;
  readonly #give: Give;
  #buffer: MessageBuffer | undefined;

  constructor(buffers: MessageBuffers, give: Give) {
    this.#buffers = buffers;
    this.#give = give;
  }

  get room(): number {
    return this.writable.size;
  }

  /** Copies the request, but for the data of a Twrite, from its pieces. @param limit the longest that there may be */
  load(limit: number): void {
    const size = Math.min(this.readable.size, limit);
    const first = Math.min(size, WRITE_HEADER_BYTES);
    this.#buffer = this.#buffers.take(size);
    const { bytes } = this.#buffer;
    this.readable.copyTo(bytes, 0, first);
    this.absent = bytes[TYPE_OFFSET] === messages.write.number ? size - first : 0;
    if (this.absent === 0 && size > first) this.readable.copyTo(bytes.subarray(first), first, size - first);
    this.frame = bytes.subarray(0, size - this.absent);
  }

  data(data: Uint8Array): Uint8Array {
    if (this.absent === 0) return data;
    const copy = stableMemory(this.absent);
    this.readable.copyTo(copy, WRITE_HEADER_BYTES, this.absent);
    return copy;
  }

  writeData(descriptor: number, _data: Uint8Array, offset: number | bigint): number | Promise<number> {
    return writeVector(descriptor, this.readable.vector(WRITE_HEADER_BYTES, this.absent), offset);
  }

  readData(descriptor: number, count: number, offset: number | bigint): number | Promise<number> {
    return readVector(descriptor, this.writable.vector(READ_HEADER_BYTES, count), offset);
  }

  reply(bytes: Uint8Array): void {
    this.writable.copyFrom(bytes);
    this.#end(bytes.length);
  }

  replyPlaced(header: Uint8Array, count: number): void {
    this.writable.copyFrom(header);
    this.#end(header.length + count);
  }

  drop(): void {
    this.#end(0);
  }

  #end(written: number): void {
    if (this.#buffer !== undefined) this.#buffers.give(this.#buffer);
    this.#buffer = undefined;
    this.#give(this, written);
    this.readable.clear();
    this.writable.clear();
  }
}
