import { type Frame, HEADER_BYTES } from './frame.js';
import type { ReplyKind, RequestName, requests } from './requests.js';

/** The two types of a reply with a header. */
export const SUCCESS = 0;
export const ERROR = 1;

/** The four bytes that come with a descriptor, where an error has a negative errno: QEMU, V9FS_FD_VALID. */
export const DESCRIPTOR_FOLLOWS = 0x7fffffff;

/** The longest string that both its 16-bit length and the client's reply buffer of 65,536 bytes can hold. */
export const MAX_STRING_BYTES = 65_534;

/** Where a reply's payload begins, and where the bytes of a string reply begin. */
export const PAYLOAD = HEADER_BYTES;
export const STRING = HEADER_BYTES + 2;

/** What is sent instead of a header when the reply is a descriptor, or the lack of one. */
export const DESCRIPTOR_BYTES = 4;

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

/** What a field of a payload is; a `time` is the seconds and the nanoseconds, 64 bits each. */
export type PayloadFieldKind = 'uint32' | 'int64' | 'uint64' | 'time';
export type PayloadFields = Readonly<Record<string, PayloadFieldKind>>;

/** The requests that are answered with a payload. */
export type PayloadName = {
  [Name in RequestName]: (typeof requests)[Name]['reply'] extends 'payload' ? Name : never;
}[RequestName];

/**
 * What is in the payload of each reply that has one, declared once: fields in wire order; a `number` of 64 bits; a
 * `string` with its length in front; or a `value`, which is such a string, but its length alone, in 32 bits, when it was
 * asked for with size 0.
 */
export const payloads = {
  lstat: {
    device: 'uint64',
    inode: 'uint64',
    links: 'uint64',
    mode: 'uint32',
    uid: 'uint32',
    gid: 'uint32',
    rdev: 'uint64',
    size: 'int64',
    blockSize: 'uint64',
    blocks: 'uint64',
    atime: 'time',
    mtime: 'time',
    ctime: 'time',
  },
  readlink: 'string',
  statfs: {
    type: 'uint64',
    blockSize: 'uint64',
    blocks: 'uint64',
    freeBlocks: 'uint64',
    availableBlocks: 'uint64',
    files: 'uint64',
    freeFiles: 'uint64',
    fsid0: 'int64',
    fsid1: 'int64',
    nameLength: 'uint64',
    fragmentSize: 'uint64',
  },
  lgetxattr: 'value',
  llistxattr: 'value',
  getversion: 'number',
} as const satisfies Record<PayloadName, PayloadFields | 'number' | 'string' | 'value'>;

const WORDS = { uint32: 1, int64: 2, uint64: 2, time: 4 } as const satisfies Record<PayloadFieldKind, number>;

/** Where the fields of a payload are. */
export interface PayloadLayout<Fields extends PayloadFields> {
  readonly bytes: number;
  /** Word indices in the reply frame; a field of 64 bits takes the next word too, a time the next three. */
  readonly words: { readonly [Name in keyof Fields]: number };
}

export function layoutOf<const Fields extends PayloadFields>(fields: Fields): PayloadLayout<Fields> {
  const words: Record<string, number> = {};
  let next = PAYLOAD / 4;
  for (const [name, kind] of Object.entries(fields)) {
    words[name] = next;
    next += WORDS[kind];
  }
  return { bytes: 4 * next - PAYLOAD, words: words as PayloadLayout<Fields>['words'] };
}
