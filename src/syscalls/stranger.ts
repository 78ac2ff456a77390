import { close } from './files.js';
import { TimeLimit } from './time-limit.js';

/** Long enough for a close that waits for nothing. */
const CLOSE_MS = 5;

const limit = new TimeLimit(CLOSE_MS);

/**
 * Closes what belongs to somebody who is not trusted, in a time that he cannot choose.
 *
 * A unix socket is closed with all descriptors that were sent to it and never received (SCM_RIGHTS). If one of them is
 * the last of a TCP socket with SO_LINGER, close(2) waits until that has sent everything, or for the linger time, unless
 * a signal comes: socket(7).
 */
export function withoutLinger(close: () => void): void {
  limit.begin();
  try {
    close();
  } finally {
    limit.end();
  }
}

/** Closes the socket of a client. */
export function closeStranger(socket: number): void {
  withoutLinger(() => close(socket));
}
