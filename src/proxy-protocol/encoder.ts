import * as errno from '../abi/errno.js';
import { type Frame, HEADER_BYTES, MAX_FRAME_BYTES } from './frame.js';
import { type FieldKind, type RequestName, requests } from './requests.js';

/** The most that the 16 bits in front of a string can tell. */
const MAX_LENGTH = 0xffff;

const BYTES = { uint32: 4, int32: 4, int64: 8, string: 2, data: 2 } as const satisfies Record<
  FieldKind,
  number
>;

type Value<Kind extends FieldKind> = Kind extends 'string' | 'data'
  ? Uint8Array
  : Kind extends 'int64'
    ? number | bigint
    : number;

type Fields<Layout extends Readonly<Record<string, FieldKind>>> = {
  readonly [Name in keyof Layout]: Value<Layout[Name]>;
};

/** What a request is made of, for who makes it. */
export type FieldsOf<Name extends RequestName> = Fields<(typeof requests)[Name]['fields']>;

type AnyFields = Readonly<Record<string, number | bigint | Uint8Array>>;

/** Encodes one kind of request. A string has no NUL at its end, which is for the helper to need or not. */
export class RequestEncoder<Name extends RequestName> {
  readonly #opcode: number;
  readonly #fields: readonly (readonly [name: string, kind: FieldKind])[];
  /** Bytes of a request whose strings are empty. */
  readonly #emptyBytes: number;
  readonly #tooLong: number;

  constructor(name: Name) {
    const { opcode, fields } = requests[name];
    this.#opcode = opcode;
    this.#fields = Object.entries(fields);
    this.#emptyBytes = this.#fields.reduce((bytes, [, kind]) => bytes + BYTES[kind], HEADER_BYTES);
    this.#tooLong = this.#fields.some(([, kind]) => kind === 'data') ? -errno.E2BIG : -errno.ENAMETOOLONG;
  }

  /** @returns the bytes of the whole request, or -errno when it does not fit into one: ENAMETOOLONG, E2BIG for data */
  measure(fields: FieldsOf<Name>): number {
    let bytes = this.#emptyBytes;
    for (const [name, kind] of this.#fields) {
      if (kind !== 'string' && kind !== 'data') continue;
      const { length } = (fields as AnyFields)[name] as Uint8Array;
      if (length > MAX_LENGTH) return kind === 'data' ? -errno.E2BIG : -errno.ENAMETOOLONG;
      bytes += length;
    }
    return bytes > MAX_FRAME_BYTES ? this.#tooLong : bytes;
  }

  /** Writes a request, at any place. @param bytes as `measure` returned it */
  encode(fields: FieldsOf<Name>, into: Frame, start: number, bytes: number): void {
    into.setUint32(start, this.#opcode);
    into.setUint32(start + 4, bytes - HEADER_BYTES);
    let at = start + HEADER_BYTES;
    for (const [name, kind] of this.#fields) {
      const value = (fields as AnyFields)[name];
      if (kind === 'string' || kind === 'data') {
        const string = value as Uint8Array;
        into.setUint16(at, string.length);
        into.bytes.set(string, at + 2);
        at += string.length;
      } else if (kind === 'int64') {
        into.setInt64(at, value as number | bigint);
      } else {
        into.setUint32(at, value as number);
      }
      at += BYTES[kind];
    }
  }
}
