/** What a reply may be, given its request: what QEMU relies on, and what would corrupt its memory. */
import { constants } from 'node:os';
import { errnoName } from '../../harness/libc.js';
import type { Reply } from '../../harness/wire-client.js';
import { decode, type RequestFrame } from './layouts.js';

const LAST_ERRNO = 133;
const LSTAT_BYTES = 116;
const STATFS_BYTES = 88;
const GETVERSION_BYTES = 8;

/** A string reply of at most `room` bytes. */
function stringProblem(payload: Buffer, room: number): string | undefined {
  if (payload.length < 2) return `${payload.length} bytes are no string`;
  const length = payload.readUInt16LE(0);
  if (payload.length !== 2 + length) return `a string of ${length} bytes in a payload of ${payload.length}`;
  return length > room ? `${length} bytes for a client that has room for ${room}` : undefined;
}

function payloadProblem({ name, payload: request }: RequestFrame, payload: Buffer): string | undefined {
  const fields = decode(name, request).fields;
  const number = (index: number): number => fields[index]!.bytes.readInt32LE(0);
  const exactly = (bytes: number): string | undefined =>
    payload.length === bytes ? undefined : `${payload.length} bytes of payload instead of ${bytes}`;
  if (name === 'LSTAT') return exactly(LSTAT_BYTES);
  if (name === 'STATFS') return exactly(STATFS_BYTES);
  if (name === 'GETVERSION') {
    return (
      exactly(GETVERSION_BYTES) ?? (payload.readUInt32LE(4) === 0 ? undefined : 'the upper half is not zero')
    );
  }
  // QEMU appends a NUL
  if (name === 'READLINK') return stringProblem(payload, number(1) - 1);
  if (name === 'LGETXATTR' || name === 'LLISTXATTR') {
    const asked = number(0);
    if (asked === 0) return exactly(4) ?? (payload.readInt32LE(0) < 0 ? 'a negative length' : undefined);
    return asked < 0 ? 'a value for a negative size' : stringProblem(payload, asked);
  }
  if (name === 'OPEN' || name === 'CREATE') return exactly(0);
  return exactly(4) ?? (payload.readInt32LE(0) === 0 ? undefined : 'success with a status that is not 0');
}

/** What is wrong with a reply, or undefined. */
export function replyProblem(request: RequestFrame, { errno, payload }: Reply): string | undefined {
  const { error } = decode(request.name, request.payload);
  if (error !== undefined) {
    return errno === constants.errno[error]
      ? undefined
      : `${errnoName(errno)} for a request that is ${error}`;
  }
  if (errno !== 0) return errno > LAST_ERRNO ? `errno ${errno}, which no guest knows` : undefined;
  return payloadProblem(request, payload);
}
