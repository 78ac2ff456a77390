import type { Field, FieldValues, ReplyKind } from './fields.js';
import { type MessageLayout, messages, type ReplyOf, type ReplyType } from './messages.js';
import { READ_HEADER_BYTES } from './numbers.js';
import { writeQid, writeStat } from './stat.js';
import { Writer } from './writer.js';

const write: { readonly [Kind in ReplyKind]: (writer: Writer, value: FieldValues[Kind]) => void } = {
  uint8: (writer, value) => {
    writer.uint8(value);
  },
  uint16: (writer, value) => {
    writer.uint16(value);
  },
  uint32: (writer, value) => {
    writer.uint32(value);
  },
  uint64: (writer, value) => {
    writer.uint64(value);
  },
  bits: (writer, value) => {
    writer.uint32(value);
    writer.uint32(0);
  },
  time: (writer, { seconds, nanoseconds }) => {
    writer.uint64(seconds);
    writer.uint64(nanoseconds);
  },
  qid: writeQid,
  qids: (writer, qids) => {
    writer.uint16(qids.length);
    for (const qid of qids) writeQid(writer, qid);
  },
  string: (writer, value) => {
    writer.string(value);
  },
  data: (writer, value) => {
    writer.uint32(value.length);
    writer.bytes(value);
  },
  stat: (writer, record) => {
    const start = writer.length;
    writer.uint16(0);
    writeStat(writer, record);
    writer.length16(start);
  },
};

interface FieldEncoder {
  readonly name: string;
  readonly write: (writer: Writer, value: never) => void;
}

interface ReplyEncoder {
  readonly number: number;
  readonly fields: readonly FieldEncoder[];
}

const kindOf = (field: Field<ReplyKind>): ReplyKind => (typeof field === 'string' ? field : field.kind);

const encoders = Object.fromEntries(
  Object.entries<MessageLayout>(messages).map(([name, { number, reply }]) => [
    `R${name}`,
    {
      number: number + 1,
      fields: Object.entries(reply).map(([field, layout]) => ({ name: field, write: write[kindOf(layout)] })),
    },
  ]),
) as unknown as Readonly<Record<ReplyType, ReplyEncoder>>;

/**
 * Writes a reply, and nothing after the end of `into`.
 *
 * @returns its bytes, or -1 when it does not fit
 */
export function encodeReply<Type extends ReplyType>(
  type: Type,
  tag: number,
  fields: ReplyOf<Type>,
  into: Uint8Array,
): number {
  const encoder = encoders[type];
  const writer = new Writer(into);
  writer.uint32(0);
  writer.uint8(encoder.number);
  writer.uint16(tag);
  const values = fields as Readonly<Record<string, unknown>>;
  for (const field of encoder.fields) {
    const value = values[field.name];
    // a field that the dialect lacks
    if (value !== undefined) field.write(writer, value as never);
  }
  if (writer.overflow) return -1;
  writer.uint32At(0, writer.length);
  return writer.length;
}

/**
 * Writes what stands before the data of a Rread or Rreaddir, which the caller put at READ_HEADER_BYTES.
 *
 * @param count bytes of data
 * @returns bytes of the reply with its data, or -1 when it does not fit
 */
export function encodeDataHeader(
  type: 'Rread' | 'Rreaddir',
  tag: number,
  count: number,
  into: Uint8Array,
): number {
  const size = READ_HEADER_BYTES + count;
  if (size > into.length) return -1;
  writeDataHeader(type, tag, count, into);
  return size;
}

/** The same where the data are elsewhere. @param into READ_HEADER_BYTES */
export function writeDataHeader(
  type: 'Rread' | 'Rreaddir',
  tag: number,
  count: number,
  into: Uint8Array,
): void {
  const writer = new Writer(into);
  writer.uint32(READ_HEADER_BYTES + count);
  writer.uint8(encoders[type].number);
  writer.uint16(tag);
  writer.uint32(count);
}
