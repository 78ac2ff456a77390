import { addressOf, declareInt, type Pointer } from './libc.js';
import { stableMemory, wordsOf } from './memory.js';

const libc = {
  setitimer: declareInt('setitimer', 'int', 'void *', 'void *'),
  siginterrupt: declareInt('siginterrupt', 'int', 'int'),
};

const ITIMER_REAL = 0;
const SIGALRM = 14;

/** Words of `struct itimerval`: the time between two signals and the time to the first, seconds and microseconds each. */
const ITIMERVAL_WORDS = 8;
const INTERVAL_MICROSECONDS = 2;
const VALUE_MICROSECONDS = 6;

/**
 * Bounds how long a system call that waits for others may take: afterwards a signal has it fail with EINTR. setitimer(2)
 */
export class TimeLimit {
  readonly #running: Pointer;
  readonly #stopped = addressOf(stableMemory(4 * ITIMERVAL_WORDS));

  /** @param milliseconds less than a second */
  constructor(milliseconds: number) {
    const running = stableMemory(4 * ITIMERVAL_WORDS);
    this.#running = addressOf(running);
    const words = wordsOf(running);
    words[VALUE_MICROSECONDS] = milliseconds * 1000;
    // again and again, as the first signal may come before the call begins
    words[INTERVAL_MICROSECONDS] = milliseconds * 1000;
    // nothing is to be done, but without a handler the signal would end the process
    if (process.listenerCount('SIGALRM') === 0) process.on('SIGALRM', () => undefined);
    // libuv's handlers have the kernel go on with the call
    libc.siginterrupt(SIGALRM, 1);
  }

  begin(): void {
    libc.setitimer(ITIMER_REAL, this.#running, null);
  }

  end(): void {
    libc.setitimer(ITIMER_REAL, this.#stopped, null);
  }
}
