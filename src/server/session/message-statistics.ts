import { type OperationStatistics, Statistics } from '../../observability/statistics.js';
import { elapsedMicroseconds, MonotonicClock } from '../../syscalls/process.js';
import type { Message } from '../operations/message.js';
import { countedMessages } from '../p9/counted-messages.js';
import { type MessageLayout, messages } from '../p9/messages.js';
import { TYPE_OFFSET } from '../p9/numbers.js';

/** What is counted, as its place among all that is, by the number of the request. */
const kinds = new Uint8Array(256);
for (const [name, { number, request }] of Object.entries<MessageLayout>(messages)) {
  if (request !== undefined) kinds[number] = countedMessages.indexOf(`T${name}`);
}

/** Counts what a client asks, by the type of the message. */
export class MessageStatistics {
  readonly #statistics = new Statistics(countedMessages);
  readonly #clock = new MonotonicClock();
  /** The message that is being answered. */
  #kind = 0;
  #arrived = 0;

  /** A message is here. */
  arrived(message: Message): void {
    message.arrived = this.#clock.microseconds();
  }

  /** Is told before the message is answered, with which it ends. @param result negative for an error */
  answering(message: Message, result: number, bytes: number): void {
    const { frame, absent, arrived } = message;
    this.#kind = kinds[frame[TYPE_OFFSET] ?? 0] ?? 0;
    this.#arrived = arrived;
    this.#statistics.count(this.#kind, result, frame.length + absent, bytes);
  }

  /** The same message is answered. @returns the microseconds that this took */
  answered(): number {
    const elapsed = elapsedMicroseconds(this.#arrived, this.#clock.microseconds());
    this.#statistics.time(this.#kind, elapsed);
    return elapsed;
  }

  byOperation(): Readonly<Record<string, OperationStatistics>> {
    return this.#statistics.byOperation();
  }
}
