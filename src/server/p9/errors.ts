import { encodeReply } from './encode.js';
import { errorText } from './error-text.js';
import type { Dialect } from './messages.js';

/**
 * Writes the reply that says why a request failed: a number in 9P2000.L, a text in 9P2000, both in 9P2000.u.
 *
 * @param errno a positive number
 * @returns its bytes, or -1 when it does not fit
 */
export function encodeError(dialect: Dialect, tag: number, errno: number, into: Uint8Array): number {
  if (dialect === '9P2000.L') return encodeReply('Rlerror', tag, { ecode: errno }, into);
  const ename = Buffer.from(errorText(errno));
  return encodeReply('Rerror', tag, dialect === '9P2000.u' ? { ename, errno } : { ename }, into);
}
