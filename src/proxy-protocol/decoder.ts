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

/** One field of a request; the span is that of the request where it has one. */
interface Field {
  readonly name: string;
  readonly kind: FieldKind;
  readonly span: ByteSpan;
}

/**
 * Decodes the payload of one kind of request from a frame, always into the same object, so that decoding allocates
 * nothing. Every read is checked against the payload; nothing past its end is looked at.
 */
export class RequestDecoder {
  readonly request: Record<string, number | bigint | ByteSpan> = {};
  private readonly frame: Frame;
  private readonly fields: readonly Field[];

  constructor(layout: RequestLayout, frame: Frame) {
    this.frame = frame;
    this.fields = Object.entries(layout.fields).map(([name, kind]): Field => {
      const span = new ByteSpan(frame.bytes);
      this.request[name] = kind === 'string' || kind === 'data' ? span : 0;
      return { name, kind, span };
    });
  }

  /**
   * @param size bytes of payload
   * @returns 0, or -ENOBUFS when a field does not fit into the payload, or -EINVAL for a NUL inside a string
   */
  decode(size: number): number {
    const frame = this.frame;
    const end = HEADER_BYTES + size;
    let at = HEADER_BYTES;
    for (const { name, kind, span } of this.fields) {
      if (kind === 'string' || kind === 'data') {
        if (end - at < 2) return -ENOBUFS;
        const length = frame.uint16(at);
        at += 2;
        if (end - at < length) return -ENOBUFS;
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
