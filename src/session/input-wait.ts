import type { Connection } from '../transport/connection.js';
import { errno } from '../syscalls/errno.js';
import type { InputPoll } from '../syscalls/sockets.js';

/** How often the socket is asked after a reply before the process goes to sleep: about 50 µs. */
const POLL_ATTEMPTS = 128;
/** How long the process sleeps on the socket alone, in milliseconds, before libuv takes over. */
const SLEEP_MS = 10;

/**
 * Waits for the next request in the two ways that are quicker than libuv: asking the socket over and over while the
 * answer of the client is on its way (waking a process costs more than a whole request), then sleeping in poll(2).
 */
export class InputWait {
  readonly #connection: Connection;
  readonly #poll: InputPoll;

  constructor(connection: Connection, poll: InputPoll) {
    this.#connection = connection;
    this.#poll = poll;
  }

  /** @returns bytes received, 0 at the end of the stream, or -errno; -EAGAIN: nothing came, it is libuv's turn */
  next(): number {
    for (let attempt = 0; attempt < POLL_ATTEMPTS; attempt++) {
      const bytes = this.#connection.receive();
      if (bytes !== -errno.EAGAIN) return bytes;
    }
    const ready = this.#poll.wait(SLEEP_MS);
    // a signal (EINTR) is for libuv to handle
    return ready > 0 ? this.#connection.receive() : -errno.EAGAIN;
  }
}
