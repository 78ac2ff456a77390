import * as errno from '../../abi/errno.js';
import type { Context, Outcome } from '../operations/context.js';
import type { Message } from '../operations/message.js';
import { encodeDataHeader, encodeReply, writeDataHeader } from '../p9/encode.js';
import { encodeError } from '../p9/errors.js';
import { READ_HEADER_BYTES } from '../p9/numbers.js';
import type { MessageStatistics } from './message-statistics.js';
import type { MessageTrace } from './message-trace.js';

/** Longer than any reply but those with data. */
const REPLY_BYTES = 8192;

/** Answers requests, with no more than the client agreed to and has room for, and has them counted. */
export class Replies {
  readonly #context: Context;
  readonly #statistics: MessageStatistics;
  readonly #trace: MessageTrace | undefined;
  readonly #memory = new Uint8Array(REPLY_BYTES);
  readonly #dataHeader = this.#memory.subarray(0, READ_HEADER_BYTES);

  /** @param trace only where messages are shown */
  constructor(context: Context, statistics: MessageStatistics, trace: MessageTrace | undefined) {
    this.#context = context;
    this.#statistics = statistics;
    this.#trace = trace;
  }

  answer(message: Message, tag: number, outcome: Outcome): void {
    if (typeof outcome === 'number') {
      this.fail(message, tag, -outcome);
      return;
    }
    if ('placed' in outcome) {
      const { type, placed } = outcome;
      writeDataHeader(type, tag, placed, this.#dataHeader);
      this.#answering(message, placed, READ_HEADER_BYTES + placed);
      message.replyPlaced(this.#dataHeader, placed);
      this.#answered();
      return;
    }
    if ('buffer' in outcome) {
      const { type, buffer, count } = outcome;
      const bytes = encodeDataHeader(type, tag, count, buffer.bytes);
      this.#send(message, tag, count, buffer.bytes.subarray(0, bytes));
      return;
    }
    const { type, fields } = outcome;
    const room = this.#memory.subarray(0, Math.min(REPLY_BYTES, this.#context.msize));
    const bytes = encodeReply(type, tag, fields, room);
    if (bytes < 0) this.fail(message, tag, errno.EMSGSIZE);
    else
      this.#send(
        message,
        tag,
        this.#trace === undefined ? 0 : countOf(fields),
        this.#memory.subarray(0, bytes),
      );
  }

  /** @param number a positive errno */
  fail(message: Message, tag: number, number: number): void {
    const bytes = encodeError(this.#context.dialect, tag, number, this.#memory);
    const fits = bytes <= message.room;
    this.#answering(message, -number, fits ? bytes : 0);
    if (fits) message.reply(this.#memory.subarray(0, bytes));
    else message.drop();
    this.#answered();
  }

  flushed(message: Message, tag: number): void {
    const bytes = encodeReply('Rflush', tag, {}, this.#memory);
    this.#send(message, tag, 0, this.#memory.subarray(0, bytes));
  }

  /** Ends a message that nobody waits for. */
  drop(message: Message): void {
    this.#trace?.dropping(message, this.#context.dialect);
    message.drop();
  }

  /** @param result what the reply is to be told of as */
  #send(message: Message, tag: number, result: number, bytes: Uint8Array): void {
    if (bytes.length > message.room) {
      this.fail(message, tag, errno.EMSGSIZE);
      return;
    }
    this.#answering(message, result, bytes.length);
    message.reply(bytes);
    this.#answered();
  }

  /** @param result bytes of data, or -errno */
  #answering(message: Message, result: number, bytes: number): void {
    this.#statistics.answering(message, result, bytes);
    this.#trace?.answering(message, this.#context.dialect, result);
  }

  #answered(): void {
    const elapsed = this.#statistics.answered();
    this.#trace?.answered(elapsed);
  }
}

/** What a reply says how many there are of. */
function countOf(fields: object): number {
  if ('count' in fields) return fields.count as number;
  return 'qids' in fields ? (fields.qids as unknown[]).length : 0;
}
