import type { Qid, StatRecord } from './fields.js';
import { Reader } from './reader.js';
import type { Writer } from './writer.js';

/** "Do not touch" in the record of a Twstat, where strings are empty. */
const UNTOUCHED = 0xffff_ffff;
const UNTOUCHED_LENGTH = 0xffff_ffff_ffff_ffffn;

export function readQid(reader: Reader): Qid {
  return { type: reader.uint8(), version: reader.uint32(), path: reader.uint64() };
}

export function writeQid(writer: Writer, qid: Qid): void {
  writer.uint8(qid.type);
  writer.uint32(qid.version);
  writer.uint64(qid.path);
}

/** Reads `n[2] stat[n]` of a Twstat. A record that is not as long as it says counts as one that passes the end. */
export function readStat(reader: Reader, extended: boolean): StatRecord {
  const inner = new Reader(reader.bytes(reader.uint16()), 0);
  const size = inner.uint16();
  const isExact = size === inner.remaining;
  const record = {
    type: inner.uint16(),
    dev: inner.uint32(),
    qid: readQid(inner),
    mode: inner.uint32(),
    atime: inner.uint32(),
    mtime: inner.uint32(),
    length: inner.uint64(),
    name: inner.string(),
    uid: inner.string(),
    gid: inner.string(),
    muid: inner.string(),
  };
  const whole = extended
    ? {
        ...record,
        extended: {
          extension: inner.string(),
          uid: inner.uint32(),
          gid: inner.uint32(),
          muid: inner.uint32(),
        },
      }
    : record;
  if (!isExact || inner.overrun || inner.remaining > 0) reader.overrun = true;
  return whole;
}

/** Writes `size[2]` and the record, as a directory is read in 9P2000 and 9P2000.u. */
export function writeStat(writer: Writer, record: StatRecord): void {
  const start = writer.length;
  writer.uint16(0);
  writer.uint16(record.type);
  writer.uint32(record.dev);
  writeQid(writer, record.qid);
  writer.uint32(record.mode);
  writer.uint32(record.atime);
  writer.uint32(record.mtime);
  writer.uint64(record.length);
  writer.string(record.name);
  writer.string(record.uid);
  writer.string(record.gid);
  writer.string(record.muid);
  const { extended } = record;
  if (extended !== undefined) {
    writer.string(extended.extension);
    writer.uint32(extended.uid);
    writer.uint32(extended.gid);
    writer.uint32(extended.muid);
  }
  writer.length16(start);
}

/** What a Twstat changes; fields that it leaves as they are, are undefined. */
export interface StatChanges {
  readonly mode: number | undefined;
  readonly atime: number | undefined;
  readonly mtime: number | undefined;
  readonly length: number | bigint | undefined;
  readonly name: Uint8Array | undefined;
  /** The group's name, where no number is given. */
  readonly groupName: Uint8Array | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

const touched = (value: number): number | undefined => (value === UNTOUCHED ? undefined : value);
const given = (value: Uint8Array): Uint8Array | undefined => (value.length === 0 ? undefined : value);

/** All undefined: the client asks that the file reaches the disk. */
export function statChanges({ extended, ...record }: StatRecord): StatChanges {
  return {
    mode: touched(record.mode),
    atime: touched(record.atime),
    mtime: touched(record.mtime),
    length: record.length === UNTOUCHED_LENGTH ? undefined : record.length,
    name: given(record.name),
    groupName: given(record.gid),
    uid: extended && touched(extended.uid),
    gid: extended && touched(extended.gid),
  };
}
