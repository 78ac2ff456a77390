import * as errno from '../../abi/errno.js';
import type { Context, Outcome } from '../operations/context.js';
import { encodeDataHeader, encodeReply } from '../p9/encode.js';
import { encodeError } from '../p9/errors.js';
import type { ClientStream } from '../transports/stream.js';

/** Longer than any reply but those with data. */
const REPLY_BYTES = 8192;

/** Sends replies to the client, none longer than it agreed to. */
export class Replies {
  readonly #stream: ClientStream;
  readonly #context: Context;
  readonly #memory = new Uint8Array(REPLY_BYTES);

  constructor(stream: ClientStream, context: Context) {
    this.#stream = stream;
    this.#context = context;
  }

  answer(tag: number, outcome: Outcome): void {
    if (typeof outcome === 'number') {
      this.fail(tag, -outcome);
      return;
    }
    if ('buffer' in outcome) {
      const { type, buffer, count } = outcome;
      const bytes = encodeDataHeader(type, tag, count, buffer.bytes);
      this.#stream.send([buffer.bytes.subarray(0, bytes)]);
      return;
    }
    const { type, fields } = outcome;
    const room = this.#memory.subarray(0, Math.min(REPLY_BYTES, this.#context.msize));
    const bytes = encodeReply(type, tag, fields, room);
    if (bytes < 0) this.fail(tag, errno.EMSGSIZE);
    else this.#send(bytes);
  }

  /** @param number a positive errno */
  fail(tag: number, number: number): void {
    this.#send(encodeError(this.#context.dialect, tag, number, this.#memory));
  }

  flushed(tag: number): void {
    this.#send(encodeReply('Rflush', tag, {}, this.#memory));
  }

  #send(bytes: number): void {
    this.#stream.send([this.#memory.subarray(0, bytes)]);
  }
}
