import { type Frame, HEADER_BYTES } from './frame.js';
import type { ReplyKind } from './requests.js';

/** The two types of a reply with a header. */
const SUCCESS = 0;
const ERROR = 1;

/** The four bytes that come with a descriptor, where an error has a negative errno: QEMU, V9FS_FD_VALID. */
export const DESCRIPTOR_FOLLOWS = 0x7fffffff;

/** The longest string that both its 16-bit length and the client's reply buffer of 65,536 bytes can hold. */
export const MAX_STRING_BYTES = 65_534;

/** Where a reply's payload begins, and where the bytes of a string reply begin. */
export const PAYLOAD = HEADER_BYTES;
export const STRING = HEADER_BYTES + 2;

/** What is sent instead of a header when the reply is a descriptor, or the lack of one. */
const DESCRIPTOR_BYTES = 4;

/**
 * Makes the reply of an operation, whose payload is in place already.
 *
 * @param result as a handler of `helper/operations/table.ts` returns it
 * @returns the bytes to send; those that go with a descriptor are not in the frame
 */
export function encodeReply(reply: Frame, kind: ReplyKind, result: number): number {
  if (kind === 'descriptor') {
    reply.words[0] = result;
    return DESCRIPTOR_BYTES;
  }
  // a status, which is also the failure of a payload
  const isStatus = kind === 'status' || result < 0;
  const length = isStatus ? 4 : result;
  reply.words[0] = result < 0 ? ERROR : SUCCESS;
  reply.words[1] = length;
  if (isStatus) reply.words[2] = result;
  return HEADER_BYTES + length;
}

/** Word indices in the reply frame of the fields of LSTAT; those of 64 bits take the next word too. */
export const StatReply = {
  BYTES: 116,
  DEV: 2,
  INO: 4,
  NLINK: 6,
  MODE: 8,
  UID: 9,
  GID: 10,
  RDEV: 11,
  SIZE: 13,
  BLKSIZE: 15,
  BLOCKS: 17,
  ATIME: 19,
  ATIME_NSEC: 21,
  MTIME: 23,
  MTIME_NSEC: 25,
  CTIME: 27,
  CTIME_NSEC: 29,
} as const;

/** The same for STATFS, all fields of 64 bits. */
export const StatfsReply = {
  BYTES: 88,
  TYPE: 2,
  BSIZE: 4,
  BLOCKS: 6,
  BFREE: 8,
  BAVAIL: 10,
  FILES: 12,
  FFREE: 14,
  FSID_0: 16,
  FSID_1: 18,
  NAMELEN: 20,
  FRSIZE: 22,
} as const;
