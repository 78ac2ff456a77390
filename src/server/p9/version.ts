import { EMSGSIZE } from '../../abi/errno.js';
import type { Dialect } from './messages.js';

/** No fewer bytes in a message: every reply but Rread, Rreaddir and Rreadlink fits, and QEMU's limit is the same. */
export const MIN_MESSAGE_BYTES = 4096;

/** What Rversion says. */
export interface Agreement {
  /** `undefined`: the client asked for no dialect that this server speaks, and may ask again. */
  readonly dialect: Dialect | undefined;
  readonly msize: number;
  readonly version: Uint8Array;
}

const UNKNOWN = 'unknown';

/**
 * The dialect that a client asked for, or the one that it falls back to: of `9P2000.x`, that is `9P2000`, as version(5)
 * has it.
 */
function dialectOf(version: string): Dialect | undefined {
  if (version === '9P2000.L' || version === '9P2000.u') return version;
  return version === '9P2000' || version.startsWith('9P2000.') ? '9P2000' : undefined;
}

/**
 * Answers a Tversion.
 *
 * @param maxMessageBytes the longest message that this server takes
 * @returns a refusal where the client's messages are too small to work with
 */
export function negotiate(
  asked: { readonly msize: number; readonly version: Uint8Array },
  maxMessageBytes: number,
): Agreement | { readonly errno: number; readonly dialect: Dialect } {
  const msize = Math.min(asked.msize, maxMessageBytes);
  const dialect = dialectOf(Buffer.from(asked.version).toString('latin1'));
  if (dialect !== undefined && msize < MIN_MESSAGE_BYTES) return { errno: EMSGSIZE, dialect };
  return { dialect, msize, version: Buffer.from(dialect ?? UNKNOWN) };
}
