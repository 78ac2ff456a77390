import * as errno from '../abi/errno.js';
import type { Pointer } from './libc.js';
import { Poll, POLLOUT } from './poll.js';
import { write } from './process.js';
import { TimeLimit } from './time-limit.js';

/** How long a reader that is only slow is waited for: milliseconds. */
const WAIT_MS = 5;

/**
 * Writes where somebody else has to read: to a pipe, a socket, a terminal that can be stopped. Where nobody reads it waits
 * for a moment, and from then on not at all until something is read. A disk can take longer, as nothing interrupts that.
 *
 * The descriptor is not made O_NONBLOCK: it may be open in other programs, too, for which that would change as well.
 */
export class BoundedWriter {
  readonly #descriptor: number;
  readonly #room: Poll;
  readonly #limit = new TimeLimit(WAIT_MS);
  #stuck = false;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
    this.#room = new Poll(descriptor, POLLOUT);
  }

  /** @returns how many bytes were written, or -errno; EAGAIN or EINTR: nobody reads */
  write(bytes: Pointer, size: number): number {
    if (this.#stuck && !this.#room.isReady(0)) return -errno.EAGAIN;
    let written = this.#tryWrite(bytes, size);
    // O_NONBLOCK by somebody else
    if (written === -errno.EAGAIN && !this.#stuck && this.#room.isReady(WAIT_MS))
      written = this.#tryWrite(bytes, size);
    this.#stuck = written === -errno.EAGAIN || written === -errno.EINTR;
    return written;
  }

  /** Also where there seems to be room: another program may fill it up just before. */
  #tryWrite(bytes: Pointer, size: number): number {
    this.#limit.begin();
    const written = write(this.#descriptor, bytes, size);
    this.#limit.end();
    return written;
  }
}
