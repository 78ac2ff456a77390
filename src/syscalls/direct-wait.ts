import { type Input, InputWait } from './input-wait.js';
import { elapsedMicroseconds, MonotonicClock } from './process.js';

/** After so many microseconds the event loop has a turn, however busy the client is. */
const HOLD_US = 4000;
/** After a sleep in vain the next one is left out, then two, four, at most these. */
const MAX_SKIPPED = 64;

/** What a client's messages come from, and what is done with them. */
export interface ClientInput extends Input {
  /** Whether the client's messages are wanted now. */
  readonly wanted: boolean;
  /** @param bytes what `receive` or `receiveWaiting` returned */
  take(bytes: number): void;
}

/**
 * Waits for a client's next message in the turn of the event loop that its last one had, so that the next one takes none
 * of its own.
 */
export class DirectWait {
  readonly #input: ClientInput;
  readonly #wait: InputWait;
  readonly #clock: MonotonicClock;
  /** When it first slept since the event loop told of something, in microseconds of the clock. */
  #slept: number | undefined;
  #expecting = false;
  /** Sleeps still to be left out, and how many there were in this row. */
  #skip = 0;
  #skipped = 0;

  constructor(input: ClientInput, pollCeiling: number) {
    this.#input = input;
    this.#clock = new MonotonicClock();
    this.#wait = new InputWait(input, this.#clock, pollCeiling);
  }

  /** The event loop told of something. */
  woken(): void {
    this.#slept = undefined;
  }

  /** Nothing is under way: nobody but the client has anything to do. */
  expect(): void {
    if (this.#expecting) return;
    this.#expecting = true;
    process.nextTick(this.#more);
  }

  readonly #more = (): void => {
    this.#expecting = false;
    if (!this.#input.wanted) return;
    if (this.#skip > 0) {
      this.#skip--;
      return;
    }
    const now = this.#clock.microseconds();
    this.#slept ??= now;
    if (elapsedMicroseconds(this.#slept, now) >= HOLD_US) return;
    const bytes = this.#wait.next(now);
    this.#skipped = bytes > 0 ? 0 : Math.min(Math.max(1, 2 * this.#skipped), MAX_SKIPPED);
    this.#skip = this.#skipped;
    this.#input.take(bytes);
  };
}
