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
        if (kind === 'string' && containsNul(frame.bytes, at, length)) return -EINVAL;
        const span = this.request[name] as ByteSpan;
        span.start = at;
        span.length = length;
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

function containsNul(bytes: Uint8Array, start: number, length: number): boolean {
  const nul = bytes.indexOf(0, start);
  return nul !== -1 && nul < start + length;
}
