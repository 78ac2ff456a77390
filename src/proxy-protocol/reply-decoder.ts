import { type Frame, HEADER_BYTES, MAX_PAYLOAD_BYTES } from './frame.js';
import {
  DESCRIPTOR_BYTES,
  DESCRIPTOR_FOLLOWS,
  ERROR,
  layoutOf,
  type PayloadFieldKind,
  type PayloadFields,
  type PayloadName,
  payloads,
  SUCCESS,
} from './replies.js';
import { type RequestName, requests } from './requests.js';

/** A point in time, as in the reply. */
export interface Time {
  readonly seconds: number | bigint;
  readonly nanoseconds: number | bigint;
}

type Value<Kind extends PayloadFieldKind> = Kind extends 'uint32'
  ? number
  : Kind extends 'time'
    ? Time
    : number | bigint;

type PayloadOf<Name extends PayloadName> = (typeof payloads)[Name] extends infer Payload
  ? Payload extends PayloadFields
    ? { readonly [Field in keyof Payload]: Value<Payload[Field]> }
    : Payload extends 'number'
      ? bigint
      : Uint8Array
  : never;

/** What LSTAT says. */
export type Attributes = PayloadOf<'lstat'>;
/** What STATFS says. */
export type FileSystemAttributes = PayloadOf<'statfs'>;

/**
 * What a request is answered with when it succeeds: 0, or the descriptor, or what is in the payload; for a `value` that was
 * asked for with size 0 its length.
 */
export type ReplyOf<Name extends RequestName> = Name extends PayloadName ? PayloadOf<Name> : number;

export type AnyReply = number | bigint | Uint8Array | Attributes | FileSystemAttributes;

/** What `decode` found where a reply is to begin. */
export type Found = 'reply' | 'incomplete' | 'malformed';

/** No error number is greater: the kernel's MAX_ERRNO. */
const MAX_ERRNO = 4095;
const isError = (value: number): boolean => value < 0 && value >= -MAX_ERRNO;

interface Field {
  readonly name: string;
  readonly kind: PayloadFieldKind;
  /** From the start of the reply. */
  readonly offset: number;
}

/** How the reply to one kind of request looks. */
type Shape =
  | { readonly kind: 'descriptor' | 'status' | 'string' | 'value' | 'number' }
  | { readonly kind: 'fields'; readonly bytes: number; readonly fields: readonly Field[] };

function shapeOf(name: RequestName): Shape {
  const { reply } = requests[name];
  if (reply !== 'payload') return { kind: reply };
  const payload: PayloadFields | 'number' | 'string' | 'value' = payloads[name as PayloadName];
  if (typeof payload === 'string') return { kind: payload };
  const { bytes, words } = layoutOf<PayloadFields>(payload);
  const fields = Object.entries(payload).map(([field, kind]): Field => {
    return { name: field, kind, offset: 4 * (words[field] ?? 0) };
  });
  return { kind: 'fields', bytes, fields };
}

const shapes = Object.fromEntries(
  (Object.keys(requests) as RequestName[]).map((name) => [name, shapeOf(name)]),
) as Record<RequestName, Shape>;

/** Decodes replies, and believes nothing that they say about their size. */
export class ReplyDecoder {
  readonly #replies: Frame;
  /** The reply that was decoded last: its bytes on the wire and its value, DESCRIPTOR_FOLLOWS for a descriptor. */
  bytes = 0;
  value: AnyReply = 0;

  constructor(replies: Frame) {
    this.#replies = replies;
  }

  /**
   * @param asked the size that was asked for, of a reply that is a string
   * @param start where the reply begins, at any place
   * @param end where what has come ends
   */
  decode(name: RequestName, asked: number, start: number, end: number): Found {
    const replies = this.#replies;
    const shape = shapes[name];
    if (shape.kind === 'descriptor') {
      if (end - start < DESCRIPTOR_BYTES) return 'incomplete';
      const value = replies.int32(start);
      return this.#found(DESCRIPTOR_BYTES, value, value === DESCRIPTOR_FOLLOWS || isError(value));
    }
    if (end - start < HEADER_BYTES) return 'incomplete';
    const type = replies.uint32(start);
    const size = replies.uint32(start + 4);
    if (type !== SUCCESS && type !== ERROR) return 'malformed';
    if (size > MAX_PAYLOAD_BYTES) return 'malformed';
    const bytes = HEADER_BYTES + size;
    if (end - start < bytes) return 'incomplete';
    const payload = start + HEADER_BYTES;
    if (type === ERROR) {
      if (size !== 4) return 'malformed';
      const value = replies.int32(payload);
      return this.#found(bytes, value, isError(value));
    }
    switch (shape.kind) {
      case 'status':
        return this.#found(bytes, 0, size === 4 && replies.int32(payload) === 0);
      case 'number':
        return size === 8 ? this.#found(bytes, BigInt(replies.uint64(payload))) : 'malformed';
      case 'value':
        if (asked > 0) return this.#string(payload, size, asked);
        return size === 4 && replies.int32(payload) >= 0
          ? this.#found(bytes, replies.int32(payload))
          : 'malformed';
      case 'string':
        return this.#string(payload, size, asked);
      case 'fields':
        return size === shape.bytes ? this.#found(bytes, this.#fields(shape.fields, start)) : 'malformed';
    }
  }

  #found(bytes: number, value: AnyReply, wellFormed = true): Found {
    this.bytes = bytes;
    this.value = value;
    return wellFormed ? 'reply' : 'malformed';
  }

  #string(payload: number, size: number, asked: number): Found {
    if (size < 2) return 'malformed';
    const length = this.#replies.uint16(payload);
    if (length !== size - 2 || length > asked) return 'malformed';
    const from = payload + 2;
    return this.#found(HEADER_BYTES + size, this.#replies.bytes.slice(from, from + length));
  }

  #fields(fields: readonly Field[], start: number): Attributes | FileSystemAttributes {
    const replies = this.#replies;
    const decoded: Record<string, number | bigint | Time> = {};
    for (const { name, kind, offset } of fields) {
      const at = start + offset;
      if (kind === 'uint32') decoded[name] = replies.uint32(at);
      else if (kind === 'uint64') decoded[name] = replies.uint64(at);
      else if (kind === 'int64') decoded[name] = replies.int64(at);
      else decoded[name] = { seconds: replies.int64(at), nanoseconds: replies.int64(at + 8) };
    }
    // the fields are those of the layout
    return decoded as unknown as Attributes | FileSystemAttributes;
  }
}
