/** Messages of 9P as bytes. */
import {
  type Dialect,
  type DirectoryEntry,
  type MessageName,
  messages,
  type Name,
  NOFID,
  NONUNAME,
  type Qid,
  type Sent,
  STAT_EXTENSION,
  STAT_LAYOUT,
  type StatFields,
  type StatRecord,
  type Time,
} from './ninep-messages.js';

const nameOfNumber = new Map<number, MessageName>(
  Object.entries(messages).map(([name, [number]]) => [number, name as MessageName]),
);

export function messageName(number: number): MessageName | undefined {
  return nameOfNumber.get(number);
}

const layoutOf = (base: string, extension: string, dialect: Dialect): string[] =>
  `${base} ${dialect === '9P2000' ? '' : extension}`.split(' ').filter((field) => field !== '');

type Values = Readonly<Record<string, unknown>>;

/** @returns a whole frame */
export function encodeMessage(dialect: Dialect, name: MessageName, tag: number, fields: Values): Buffer {
  const [number, base, extension] = messages[name];
  const body = encodeFields(layoutOf(base, extension, dialect), fields, name);
  const header = Buffer.alloc(7);
  header.writeUInt32LE(7 + body.length, 0);
  header.writeUInt8(number, 4);
  header.writeUInt16LE(tag, 5);
  return Buffer.concat([header, body]);
}

/** A stat record with its own size in front, as Twstat carries it. What is left out stays as it is (wstat(5)). */
export function encodeStat(dialect: Dialect, changes: Partial<StatFields<Sent>>): Buffer {
  const unchanged: Values = {
    ...{ type: 0xffff, dev: NOFID, mode: NOFID, atime: NOFID, mtime: NOFID, length: 2n ** 64n - 1n },
    qid: { type: 0xff, version: NOFID, path: 2n ** 64n - 1n },
    ...{ name: '', uid: '', gid: '', muid: '', extension: '' },
    ...{ n_uid: NONUNAME, n_gid: NONUNAME, n_muid: NONUNAME },
  };
  const body = encodeFields(
    layoutOf(STAT_LAYOUT, STAT_EXTENSION, dialect),
    { ...unchanged, ...changes },
    'stat',
  );
  return Buffer.concat([bytes(2, body.length), body]);
}

/** What was received breaks the protocol; the message says how. */
export class NinepFrameError extends Error {}

export interface Frame {
  readonly name: MessageName;
  readonly tag: number;
  readonly fields: Values;
}

export function decodeFrame(dialect: Dialect, frame: Buffer): Frame {
  const name = nameOfNumber.get(frame.readUInt8(4));
  if (name === undefined) throw new NinepFrameError(`a message of type ${frame.readUInt8(4)}`);
  const [, base, extension] = messages[name];
  const reader = new Reader(frame.subarray(7), name);
  const fields = reader.fields(layoutOf(base, extension, dialect));
  reader.end();
  return { name, tag: frame.readUInt16LE(5), fields };
}

/** The stat records of an Rstat, or of what was read from a directory. */
export function decodeStats(dialect: Dialect, data: Buffer): StatRecord[] {
  const records: StatRecord[] = [];
  for (let at = 0; at < data.length;) {
    const end = at + 2 + data.readUInt16LE(at);
    const reader = new Reader(data.subarray(at + 2, end), 'stat');
    records.push(reader.fields(layoutOf(STAT_LAYOUT, STAT_EXTENSION, dialect)) as unknown as StatRecord);
    reader.end();
    if (end > data.length) throw new NinepFrameError('a stat record that goes on after its data');
    at = end;
  }
  return records;
}

/** The entries of an Rreaddir. */
export function decodeEntries(data: Buffer): DirectoryEntry[] {
  const reader = new Reader(data, 'Rreaddir');
  const entries: DirectoryEntry[] = [];
  while (reader.left > 0) {
    entries.push(reader.fields(['qid:q', 'offset:8', 'type:1', 'name:s']) as unknown as DirectoryEntry);
  }
  return entries;
}

function bytes(length: number, value: number | bigint): Buffer {
  const result = Buffer.alloc(length);
  if (length === 8) result.writeBigUInt64LE(BigInt(value));
  else result.writeUIntLE(Number(value), 0, length);
  return result;
}

const nameBytes = (name: Name): Uint8Array => (typeof name === 'string' ? Buffer.from(name, 'latin1') : name);

function counted(countLength: number, data: Uint8Array): Buffer {
  return Buffer.concat([bytes(countLength, data.length), data]);
}

function encodeFields(layout: readonly string[], values: Values, what: string): Buffer {
  const parts = layout.map((field) => {
    const [name = '', kind = ''] = field.split(':');
    if (!(name in values)) throw new Error(`${what} without ${name}`);
    return encodeField(kind, values[name]);
  });
  return Buffer.concat(parts);
}

function encodeField(kind: string, value: unknown): Buffer {
  switch (kind) {
    case 's':
      return counted(2, nameBytes(value as Name));
    case 'd':
      return counted(4, value as Uint8Array);
    case 'n':
      return counted(2, value as Uint8Array);
    case 'q': {
      const { type, version, path } = value as Qid;
      return Buffer.concat([bytes(1, type), bytes(4, version), bytes(8, path)]);
    }
    case 't': {
      const { seconds, nanoseconds } = value as Time;
      return Buffer.concat([bytes(8, BigInt.asUintN(64, seconds)), bytes(8, nanoseconds)]);
    }
    case 'S': {
      const names = value as readonly Name[];
      return Buffer.concat([bytes(2, names.length), ...names.map((name) => counted(2, nameBytes(name)))]);
    }
    default:
      return bytes(Number(kind), value as number | bigint);
  }
}

class Reader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #at = 0;

  constructor(source: Buffer, what: string) {
    this.#bytes = source;
    this.#what = what;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  fields(layout: readonly string[]): Values {
    return Object.fromEntries(
      layout.map((field) => {
        const [name = '', kind = ''] = field.split(':');
        return [name, this.#field(kind)];
      }),
    );
  }

  end(): void {
    if (this.left > 0) throw new NinepFrameError(`${this.left} bytes after the fields of ${this.#what}`);
  }

  #field(kind: string): unknown {
    switch (kind) {
      case 's':
        return this.#take(this.#number(2)).toString('latin1');
      case 'd':
        return this.#take(this.#number(4));
      case 'n':
        return this.#take(this.#number(2));
      case 'q':
        return this.#qid();
      case 't':
        return { seconds: this.#take(8).readBigInt64LE(), nanoseconds: this.#take(8).readBigUInt64LE() };
      case 'Q':
        return Array.from({ length: this.#number(2) }, () => this.#qid());
      case '8':
        return this.#take(8).readBigUInt64LE();
      default:
        return this.#number(Number(kind));
    }
  }

  #qid(): Qid {
    return { type: this.#number(1), version: this.#number(4), path: this.#take(8).readBigUInt64LE() };
  }

  #number(length: number): number {
    return this.#take(length).readUIntLE(0, length);
  }

  #take(length: number): Buffer {
    if (length > this.left) throw new NinepFrameError(`${this.#what} ends in the middle of a field`);
    const taken = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return taken;
  }
}
