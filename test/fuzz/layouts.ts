/**
 * What a frame means, from the table of the protocol alone and written apart from `src/protocol`: `d` 32 bits, `q`
 * 64 bits, `s` a string without NUL (but for one at its end, which QEMU sends and which does not count), `v` a string of
 * any bytes.
 */
import { type RequestName, requestNames, requestTypes } from '../../harness/requests.js';

export const layouts: Readonly<Record<RequestName, string>> = {
  OPEN: 'sd',
  CREATE: 'sdddd',
  MKNOD: 'ddsdq',
  MKDIR: 'ddsd',
  SYMLINK: 'ddss',
  LINK: 'ss',
  LSTAT: 's',
  READLINK: 'sd',
  STATFS: 's',
  CHMOD: 'sd',
  CHOWN: 'sdd',
  TRUNCATE: 'sq',
  UTIME: 'sqqqq',
  RENAME: 'ss',
  REMOVE: 's',
  LGETXATTR: 'dss',
  LLISTXATTR: 'ds',
  LSETXATTR: 'ssvdd',
  LREMOVEXATTR: 'ss',
  GETVERSION: 's',
};

export const HEADER = 8;
export const MAX_PAYLOAD = 65_536;

const byType = new Map<number, RequestName>(requestNames.map((name) => [requestTypes[name], name]));

export const nameOfType = (type: number): RequestName | undefined => byType.get(type);

export interface Field {
  /** `d`, `q`, `s` or `v`. */
  readonly kind: string;
  /** Where it begins in the payload, its length included. */
  readonly at: number;
  readonly bytes: Buffer;
}

export interface Decoded {
  readonly fields: readonly Field[];
  readonly error?: 'ENOBUFS' | 'EINVAL';
}

/** The fields of a payload, up to the first that is wrong. */
export function decode(name: RequestName, payload: Buffer): Decoded {
  const fields: Field[] = [];
  let at = 0;
  for (const kind of layouts[name]) {
    const fixed = kind === 'd' ? 4 : kind === 'q' ? 8 : 2;
    if (payload.length - at < fixed) return { fields, error: 'ENOBUFS' };
    const length = fixed === 2 ? payload.readUInt16LE(at) : fixed;
    const start = fixed === 2 ? at + 2 : at;
    if (payload.length - start < length) return { fields, error: 'ENOBUFS' };
    const nul = kind === 's' ? payload.subarray(start, start + length).indexOf(0) : -1;
    if (nul >= 0 && nul !== length - 1) return { fields, error: 'EINVAL' };
    const bytes = payload.subarray(start, start + (nul < 0 ? length : nul));
    fields.push({ kind, at, bytes });
    at = start + length;
  }
  return { fields };
}

export interface RequestFrame {
  readonly name: RequestName;
  readonly payload: Buffer;
}

/** What a helper makes of a run of bytes: whole frames, then how the bytes end. */
export interface Stream {
  readonly frames: readonly RequestFrame[];
  readonly end: 'whole' | 'partial' | 'violation';
}

export function split(bytes: Buffer): Stream {
  const frames: RequestFrame[] = [];
  let at = 0;
  while (bytes.length - at >= HEADER) {
    const size = bytes.readUInt32LE(at + 4);
    if (size > MAX_PAYLOAD) return { frames, end: 'violation' };
    if (bytes.length - at - HEADER < size) return { frames, end: 'partial' };
    const name = nameOfType(bytes.readUInt32LE(at));
    if (name === undefined) return { frames, end: 'violation' };
    frames.push({ name, payload: bytes.subarray(at + HEADER, at + HEADER + size) });
    at += HEADER + size;
  }
  return { frames, end: at === bytes.length ? 'whole' : 'partial' };
}
