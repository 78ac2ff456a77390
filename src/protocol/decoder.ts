import { constants } from 'node:os';
import { ByteSpan, type Frame, HEADER_BYTES } from './frame.js';
import type { FieldKind, RequestLayout, RequestName, requests } from './requests.js';

const { EINVAL, ENOBUFS } = constants.errno;

type Value<Kind extends FieldKind> = Kind extends 'string' | 'data'
  ? ByteSpan
  : Kind extends 'int64'
    ? number | bigint
    : number;

type Decoded<Fields extends Readonly<Record<string, FieldKind>>> = {
  readonly [Name in keyof Fields]: Value<Fields[Name]>;
};

/** The decoded payload of a request, valid until the next one is received. */
export type Request<Name extends RequestName> = Decoded<(typeof requests)[Name]['fields']>;

/**
 * Decodes the payload of one kind of request from a frame, always into the same object, so that decoding allocates
 * nothing. Every read is checked against the payload; nothing past its end is looked at.
 */
export class RequestDecoder {
  readonly request: Record<string, number | bigint | ByteSpan> = {};
  readonly #frame: Frame;
  readonly #names: readonly string[];
  readonly #kinds: readonly FieldKind[];

  constructor(layout: RequestLayout, frame: Frame) {
    this.#frame = frame;
    this.#names = Object.keys(layout.fields);
    this.#kinds = Object.values(layout.fields);
    for (const [name, kind] of Object.entries(layout.fields)) {
      this.request[name] = kind === 'string' || kind === 'data' ? new ByteSpan(frame.bytes) : 0;
    }
  }

  /**
   * @param size bytes of payload
   * @returns 0, or -ENOBUFS when a field does not fit into the payload, or -EINVAL for a NUL inside a string
   */
  decode(size: number): number {
    const frame = this.#frame;
    const end = HEADER_BYTES + size;
    let at = HEADER_BYTES;
    for (let index = 0; index < this.#kinds.length; index++) {
      const name = this.#names[index] ?? '';
      const kind = this.#kinds[index];
      if (kind === 'string' || kind === 'data') {
        if (end - at < 2) return -ENOBUFS;
        const length = frame.uint16(at);
        at += 2;
        if (end - at < length) return -ENOBUFS;
        const span = this.request[name] as ByteSpan;
        span.start = at;
        span.length = kind === 'string' ? stringLength(frame.bytes, at, length) : length;
        if (span.length < 0) return span.length;
        at += length;
      } else if (kind === 'int64') {
        if (end - at < 8) return -ENOBUFS;
        this.request[name] = frame.int64(at);
        at += 8;
      } else {
        if (end - at < 4) return -ENOBUFS;
        this.request[name] = kind === 'uint32' ? frame.uint32(at) : frame.int32(at);
        at += 4;
      }
    }
    return 0;
  }
}

/** The length without the NUL that QEMU sends at the end of a path, but not of a name; -EINVAL for any other NUL. */
function stringLength(bytes: Uint8Array, start: number, length: number): number {
  const end = start + length;
  let nul = start;
  while (nul < end && bytes[nul] !== 0) nul++;
  if (nul === end) return length;
  return nul === end - 1 ? length - 1 : -EINVAL;
}
