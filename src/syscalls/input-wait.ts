import * as errno from '../abi/errno.js';
import type { MonotonicClock } from './process.js';

/** The shortest window worth polling for, microseconds. */
const SHORTEST_US = 10;
/** How often the socket is asked between two looks at the clock. */
const ATTEMPTS_PER_LOOK = 4;
/** When this much passes between two looks, somebody else had the processor: polling takes it from those who need it. */
const PREEMPTED_US = 150;
/** A row of polls in vain is forgotten after so many polls of which none was. */
const TRUSTED = 1024;
/** One that waited and caught the request counts as so many. */
const WAITED = 64;
/** At most this many requests are waited for without polling before it is tried again. */
const MOST_SKIPPED = 1024;

/** What requests, or replies to them, come from. Both return bytes, 0 at the end of the stream, or -errno. */
export interface Input {
  /** Takes what is there. */
  receive(): number;
  /** Sleeps for a while where nothing is there. */
  receiveWaiting(): number;
}

/**
 * Waits for the next request in the two ways that are quicker than libuv: asking the socket over and over (waking a
 * process costs more than most requests), then sleeping in a receive that gives up after a while.
 *
 * The polling window follows the time that the client really takes, up to a ceiling, as KVM's halt_poll_ns does. Unlike
 * there, a poll in vain also has the next one left out, then the next two, four, and so on, until many in a row were worth
 * it: on a processor that client and helper share, the client cannot even begin while the helper polls, and where
 * many compete for the processors, polling takes them from those who have work.
 */
export class InputWait {
  private readonly input: Input;
  private readonly clock: Pick<MonotonicClock, 'microseconds'>;
  private readonly ceiling: number;
  private window: number;
  /** Requests still to be waited for without polling, and how many there were in this row. */
  #skip = 0;
  #skipped = 0;
  /** Polls since the last one in vain, those that waited counted more. */
  #trust = 0;
  #now = 0;

  /** @param ceiling the longest polling window in microseconds; 0: never poll */
  constructor(input: Input, clock: Pick<MonotonicClock, 'microseconds'>, ceiling: number) {
    this.input = input;
    this.clock = clock;
    this.ceiling = ceiling;
    this.window = Math.min(ceiling, SHORTEST_US);
  }

  /** When `next` last returned, in microseconds of the clock. */
  get now(): number {
    return this.#now;
  }

  /**
   * @param start the time now, which the caller has just read
   * @returns bytes received, 0 at the end of the stream, or -errno; -EAGAIN: nothing came, it is libuv's turn
   */
  next(start: number): number {
    this.#now = start;
    let bytes = -errno.EAGAIN;
    if (this.ceiling > 0) {
      if (this.#skip > 0) this.#skip--;
      else bytes = this.#spin(start);
    }
    if (bytes === -errno.EAGAIN) bytes = this.#sleep(start);
    return bytes;
  }

  #spin(start: number): number {
    let waited = false;
    for (;;) {
      for (let attempt = 0; attempt < ATTEMPTS_PER_LOOK; attempt++) {
        const bytes = this.input.receive();
        if (bytes !== -errno.EAGAIN) {
          // what was there at once says little: without polling it would have been there, too
          this.#trust += waited ? WAITED : 1;
          if (this.#trust >= TRUSTED) {
            this.#skipped = 0;
            this.#trust = 0;
          }
          return bytes;
        }
        waited = true;
      }
      const now = this.clock.microseconds();
      const preempted = now - this.#now >= PREEMPTED_US;
      this.#now = now;
      // a negative difference: the clock went round
      if (preempted || now - start >= this.window || now < start) {
        this.#trust = 0;
        this.#skipped = Math.min(Math.max(1, 2 * this.#skipped), MOST_SKIPPED);
        this.#skip = this.#skipped;
        return -errno.EAGAIN;
      }
    }
  }

  #sleep(start: number): number {
    const bytes = this.input.receiveWaiting();
    this.#now = this.clock.microseconds();
    if (this.ceiling > 0) this.#adapt(this.#now - start);
    // a signal is for libuv to handle
    return bytes === -errno.EINTR ? -errno.EAGAIN : bytes;
  }

  /** @param waited how long the client took, microseconds */
  #adapt(waited: number): void {
    if (waited > this.ceiling) this.window = Math.max(SHORTEST_US, this.window >> 1);
    else if (waited > this.window) this.window = Math.min(this.ceiling, 2 * waited);
  }
}
