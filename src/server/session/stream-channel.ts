import { readData, writeData } from '../../syscalls/file-data.js';
import type { Message } from '../operations/message.js';
import type { MessageBuffer, MessageBuffers } from '../operations/message-buffers.js';
import { READ_HEADER_BYTES } from '../p9/numbers.js';
import type { ClientStream, StreamFactory } from '../transports/stream.js';
import type { Channel, ChannelEvents, ChannelFactory } from './channel.js';
import { type Framed, Framer } from './framer.js';

/** A client that reads nothing gets no more of its requests looked at. */
const MAX_UNREAD_BYTES = 1_048_576;

/** A request that came in a stream of bytes. */
class StreamMessage implements Message {
  readonly frame: Uint8Array;
  readonly absent = 0;
  arrived = 0;
  readonly room = Infinity;
  readonly #buffer: MessageBuffer;
  readonly #buffers: MessageBuffers;
  readonly #stream: ClientStream;
  /** The reply's memory, where `readData` had to have it. */
  #placed: MessageBuffer | undefined;

  constructor({ buffer, frame }: Framed, buffers: MessageBuffers, stream: ClientStream) {
    this.frame = frame;
    this.#buffer = buffer;
    this.#buffers = buffers;
    this.#stream = stream;
  }

  data(data: Uint8Array): Uint8Array {
    return data;
  }

  writeData(descriptor: number, data: Uint8Array, offset: number | bigint): number | Promise<number> {
    const { bytes, address } = this.#buffer;
    return writeData(descriptor, address + BigInt(data.byteOffset - bytes.byteOffset), data.length, offset);
  }

  readData(descriptor: number, count: number, offset: number | bigint): number | Promise<number> {
    this.#placed = this.#buffers.take(READ_HEADER_BYTES + count);
    return readData(descriptor, this.#placed.address + BigInt(READ_HEADER_BYTES), count, offset);
  }

  reply(bytes: Uint8Array): void {
    this.#stream.send([bytes]);
    this.drop();
  }

  replyPlaced(header: Uint8Array, count: number): void {
    if (this.#placed !== undefined) {
      const { bytes } = this.#placed;
      bytes.set(header);
      this.#stream.send([bytes.subarray(0, header.length + count)]);
    }
    this.drop();
  }

  drop(): void {
    if (this.#placed !== undefined) this.#buffers.give(this.#placed);
    this.#buffers.give(this.#buffer);
  }
}

/** Messages that follow one another in a stream of bytes. */
class StreamChannel implements Channel {
  readonly resumable = false;
  readonly #framer: Framer;
  readonly #stream: ClientStream;
  #open = true;
  #paused = false;

  constructor(connect: StreamFactory, events: ChannelEvents, buffers: MessageBuffers) {
    this.#framer = new Framer(buffers);
    this.#stream = connect({
      received: (bytes) => {
        const taken = this.#framer.take(bytes, (framed) => {
          events.received(new StreamMessage(framed, buffers, this.#stream));
          return this.#open && !this.#paused;
        });
        if (typeof taken === 'number') return taken;
        events.violated(taken);
        return bytes.length;
      },
      closed: (error) => {
        events.closed(error ?? (this.#framer.partial ? 'it left in the middle of a message' : undefined));
      },
      drained: () => {
        events.drained();
      },
    });
  }

  get limit(): number {
    return this.#framer.limit;
  }

  set limit(bytes: number) {
    this.#framer.limit = bytes;
  }

  get congested(): boolean {
    return this.#stream.buffered >= MAX_UNREAD_BYTES;
  }

  pause(): void {
    this.#paused = true;
    this.#stream.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#stream.resume();
  }

  expect(): void {
    this.#stream.expect();
  }

  close(): void {
    this.#open = false;
    this.#stream.close();
  }
}

/** A channel over a stream. */
export function overStream(connect: StreamFactory): ChannelFactory {
  return (events, buffers) => new StreamChannel(connect, events, buffers);
}
