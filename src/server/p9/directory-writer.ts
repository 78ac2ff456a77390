import type { Qid, StatRecord } from './fields.js';
import { writeQid, writeStat } from './stat.js';
import { Writer } from './writer.js';

/** An entry as Rreaddir of 9P2000.L has it. */
export interface DirectoryEntry {
  readonly qid: Qid;
  /** Where reading goes on after this entry. */
  readonly offset: number | bigint;
  /** DT_* of readdir(3). */
  readonly type: number;
  readonly name: Uint8Array;
}

/** Fills memory with whole entries of a directory, and writes no part of one that does not fit. */
export class DirectoryWriter {
  readonly #writer: Writer;

  /** @param into the data of the reply, no longer than the client asked for */
  constructor(into: Uint8Array) {
    this.#writer = new Writer(into);
  }

  /** Bytes of entries so far. */
  get length(): number {
    return this.#writer.length;
  }

  /** Appends an entry of 9P2000.L. @returns whether it fitted */
  append(entry: DirectoryEntry): boolean {
    const writer = this.#writer;
    const start = writer.length;
    writeQid(writer, entry.qid);
    writer.uint64(entry.offset);
    writer.uint8(entry.type);
    writer.string(entry.name);
    return this.#fitted(start);
  }

  /** Appends an entry of 9P2000 or 9P2000.u. @returns whether it fitted */
  appendStat(record: StatRecord): boolean {
    const start = this.#writer.length;
    writeStat(this.#writer, record);
    return this.#fitted(start);
  }

  #fitted(start: number): boolean {
    const { overflow } = this.#writer;
    if (overflow) this.#writer.rewind(start);
    return !overflow;
  }
}
