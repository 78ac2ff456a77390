import { EINVAL, EOPNOTSUPP } from '../../abi/errno.js';
import type { Field, FieldValues, RequestKind } from './fields.js';
import { type Dialect, type MessageLayout, messages, type Request } from './messages.js';
import { checkAttributeName, checkName, checkTarget, isDot, isDotDot } from './names.js';
import { HEADER_BYTES, MAX_WALK_NAMES, TAG_OFFSET } from './numbers.js';
import { Reader } from './reader.js';
import { readStat } from './stat.js';

/** What no client sends: the connection cannot go on. */
export interface Malformed {
  readonly malformed: string;
}

/** A request that is well-formed and still none that can be done. It is answered with this errno, a positive number. */
export interface Refused {
  readonly type: 'refused';
  readonly tag: number;
  readonly errno: number;
}

/** The fields of one frame while they are read, and the first reason to refuse what they say. */
class Fields {
  readonly reader: Reader;
  readonly extended: boolean;
  /** Bytes of data that are not in the frame, and that no field has claimed. */
  absent: number;
  refusal = 0;

  constructor(frame: Uint8Array, dialect: Dialect | undefined, absent: number) {
    this.reader = new Reader(frame, HEADER_BYTES);
    this.absent = absent;
    this.extended = dialect !== '9P2000';
  }

  /** @param reason 0 or -errno */
  refuse(reason: number): void {
    if (this.refusal === 0) this.refusal = reason;
  }

  /** @param check returns 0 or -errno */
  checked(check: (bytes: Uint8Array) => number): Uint8Array {
    const bytes = this.reader.string();
    this.refuse(check(bytes));
    return bytes;
  }
}

const read: { readonly [Kind in RequestKind]: (fields: Fields) => FieldValues[Kind] } = {
  uint8: ({ reader }) => reader.uint8(),
  uint16: ({ reader }) => reader.uint16(),
  uint32: ({ reader }) => reader.uint32(),
  uint64: ({ reader }) => reader.uint64(),
  bits: ({ reader }) => {
    const low = reader.uint32();
    reader.uint32();
    return low;
  },
  time: ({ reader }) => ({ seconds: reader.int64(), nanoseconds: reader.uint64() }),
  string: ({ reader }) => reader.string(),
  name: (fields) => fields.checked(checkName),
  names: readNames,
  target: (fields) => fields.checked(checkTarget),
  attributeName: (fields) => fields.checked(checkAttributeName),
  data: readData,
  stat: (fields) => {
    const record = readStat(fields.reader, fields.extended);
    // the empty name leaves a file the name that it has
    if (record.name.length > 0) fields.refuse(checkName(record.name));
    return record;
  },
};

/** All names are read, so that what follows is; no more are kept than a Twalk may have. */
function readNames(fields: Fields): readonly Uint8Array[] {
  const { reader } = fields;
  const count = reader.uint16();
  if (count > MAX_WALK_NAMES) fields.refuse(-EINVAL);
  const names: Uint8Array[] = [];
  for (let index = 0; index < count && !reader.overrun; index++) {
    const name = reader.string();
    if (!isDot(name) && !isDotDot(name)) fields.refuse(checkName(name));
    if (index < MAX_WALK_NAMES) names.push(name);
  }
  return names;
}

/** Data are in the frame as a whole, or not at all: then they end the message. */
function readData(fields: Fields): Uint8Array {
  const { reader } = fields;
  const count = reader.uint32();
  if (fields.absent === 0 || count !== fields.absent) return reader.bytes(count);
  fields.absent = 0;
  return reader.bytes(0);
}

interface FieldDecoder {
  readonly name: string;
  readonly read: (fields: Fields) => unknown;
}

interface RequestDecoder {
  readonly type: string;
  readonly dialects: readonly Dialect[];
  readonly fields: readonly FieldDecoder[];
}

/** What reads a field, where there is one. */
function fieldReader(field: Field<RequestKind>): (fields: Fields) => unknown {
  if (typeof field === 'string') return read[field];
  const { kind, present, otherwise } = field;
  const whenPresent: (fields: Fields) => unknown = read[kind];
  return present === 'extended'
    ? (fields) => (fields.extended ? whenPresent(fields) : otherwise)
    : (fields) => (fields.reader.remaining > 0 ? whenPresent(fields) : otherwise);
}

/** By the number of the request. */
const decoders: (RequestDecoder | undefined)[] = [];
for (const [name, { number, dialects, request }] of Object.entries<MessageLayout>(messages)) {
  if (request === undefined) continue;
  const fields = Object.entries(request).map(([field, layout]) => ({
    name: field,
    read: fieldReader(layout),
  }));
  decoders[number] = { type: `T${name}`, dialects, fields };
}

/**
 * Decodes one request. Names and data are parts of the frame, not copies: they are valid for as long as it is.
 *
 * @param frame with its `size[4]`
 * @param dialect `undefined` before there is one: only Tversion is understood
 * @param absent how many bytes of data the frame lacks at its end; they are decoded as none
 */
export function decodeRequest(
  frame: Uint8Array,
  dialect: Dialect | undefined,
  absent = 0,
): Request | Refused | Malformed {
  const header = new Reader(frame, 0);
  const size = header.uint32();
  const number = header.uint8();
  const tag = header.uint16();
  if (header.overrun || size !== frame.length + absent) {
    return { malformed: `size ${size} in a frame of ${frame.length + absent} bytes` };
  }
  const decoder = decoders[number];
  if (dialect === undefined && decoder?.type !== 'Tversion') {
    return { malformed: `message ${number} before Tversion` };
  }
  if (decoder === undefined || (dialect !== undefined && !decoder.dialects.includes(dialect))) {
    return { type: 'refused', tag, errno: EOPNOTSUPP };
  }

  const fields = new Fields(frame, dialect, absent);
  const { reader } = fields;
  const request: Record<string, unknown> = { type: decoder.type, tag };
  for (const field of decoder.fields) request[field.name] = field.read(fields);
  if (reader.overrun) return { malformed: `${decoder.type} is cut short` };
  const rest = reader.remaining + fields.absent;
  if (rest > 0) return { malformed: `${decoder.type} has ${rest} bytes too many` };
  if (fields.refusal < 0) return { type: 'refused', tag, errno: -fields.refusal };
  return request as unknown as Request;
}

/** The tag of a frame that may be no message. */
export function tagOf(frame: Uint8Array): number {
  return new Reader(frame, TAG_OFFSET).uint16();
}
