import type { Qid } from '../p9/fields.js';
import { qidType } from '../p9/modes.js';
import type { Attributes } from '../../proxy-protocol/reply-decoder.js';

export type { Attributes };

/** What of a file's attributes its qid follows from. */
export type QidAttributes = Pick<Attributes, 'mode' | 'inode' | 'mtime' | 'ctime' | 'size'>;

/** How the server tells a client that a file has changed. */
export type QidVersions = 'change' | 'coherent';

const mix = (hash: number, value: number | bigint): number => {
  const low = typeof value === 'bigint' ? Number(BigInt.asUintN(32, value)) : value | 0;
  return Math.imul(hash ^ low, 0x9e37_79b1) ^ (hash >>> 15);
};

/**
 * The qid of a file. Its version changes with the file, and is never 0, which since Linux 6.4 keeps a guest from caching:
 * that is what `coherent` is for.
 */
export function qidOf(attributes: QidAttributes, versions: QidVersions): Qid {
  const { mode, inode, mtime, ctime, size } = attributes;
  let version = 0;
  if (versions === 'change') {
    version = mix(mix(0, mtime.seconds), mtime.nanoseconds);
    version = mix(mix(version, ctime.seconds), ctime.nanoseconds);
    version = mix(version, size) >>> 0 || 1;
  }
  return { type: qidType(mode), version, path: inode };
}
