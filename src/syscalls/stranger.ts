import { close } from './files.js';
import { declareElsewhere } from './libc.js';
import { TimeLimit } from './time-limit.js';

const closeElsewhere = declareElsewhere('close', 'int');

/** Long enough for a close that waits for nothing. */
const CLOSE_MS = 5;

const limit = new TimeLimit(CLOSE_MS);

/**
 * Closes what belongs to somebody who is not trusted, or receives from him without waiting, in a time that he cannot choose.
 *
 * A unix socket is closed with all descriptors that were sent to it and never received (SCM_RIGHTS). If one of them is
 * the last of a TCP socket with SO_LINGER, close(2) waits until that has sent everything, or for the linger time, unless
 * a signal comes: socket(7). To receive a message without the descriptors that it carries closes them in the same way.
 */
export function withoutLinger<Result>(call: () => Result): Result {
  limit.begin();
  try {
    return call();
  } finally {
    limit.end();
  }
}

/** Closes the socket of somebody who is not trusted, or a descriptor that came from him. */
export function closeStranger(descriptor: number): void {
  withoutLinger(() => close(descriptor));
}

/** So many that wait to be closed are too many. The table of descriptors has room for those of a message besides. */
const MAX_WAITING = 512;
/** As many threads as libuv's pool has: nothing else is done there. */
const THREADS = 4;

/**
 * Closes descriptors of somebody who is not trusted on other threads, where it may take as long as it will: a file of a
 * FUSE file system is asked to flush it, and its server need not answer, whatever signal comes.
 *
 * Which credentials those threads have makes no difference to a close.
 */
export class StrangerCloser {
  readonly #waiting: number[] = [];
  #closing = 0;

  /** Whether there are too many that wait. */
  get isBusy(): boolean {
    return this.#waiting.length > MAX_WAITING;
  }

  close(descriptor: number): void {
    this.#waiting.push(descriptor);
    this.#next();
  }

  #next(): void {
    if (this.#closing === THREADS) return;
    const descriptor = this.#waiting.pop();
    if (descriptor === undefined) return;
    this.#closing++;
    void closeElsewhere(descriptor).then(() => {
      this.#closing--;
      this.#next();
    });
  }
}
