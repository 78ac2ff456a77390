import { type Frame, HEADER_BYTES } from './frame.js';

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

/** A status reply, which is also the failure of a payload reply. @returns the bytes to send */
export function encodeStatus(reply: Frame, status: number): number {
  reply.words[0] = status < 0 ? ERROR : SUCCESS;
  reply.words[1] = 4;
  reply.words[2] = status;
  return HEADER_BYTES + 4;
}

/** The failure of a descriptor reply: no header, only the negative errno. @returns the bytes to send */
export function encodeDescriptorFailure(reply: Frame, status: number): number {
  reply.words[0] = status;
  return 4;
}

/** The head of a payload whose bytes are in place. @returns the bytes to send */
export function encodePayload(reply: Frame, length: number): number {
  reply.words[0] = SUCCESS;
  reply.words[1] = length;
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
