/** Where a file is the same file, and in the same state. */
export interface Qid {
  /** QT bits of numbers.ts. */
  readonly type: number;
  readonly version: number;
  readonly path: number | bigint;
}

/** A time since 1970; before it, the seconds are negative. */
export interface Time {
  readonly seconds: number | bigint;
  readonly nanoseconds: number | bigint;
}

/** What 9P2000 and 9P2000.u say about a file: stat(5). */
export interface StatRecord {
  readonly type: number;
  readonly dev: number;
  readonly qid: Qid;
  /** Permissions as modes.ts converts them. */
  readonly mode: number;
  readonly atime: number;
  readonly mtime: number;
  readonly length: number | bigint;
  readonly name: Uint8Array;
  readonly uid: Uint8Array;
  readonly gid: Uint8Array;
  readonly muid: Uint8Array;
  /** In 9P2000.u, and only there. */
  readonly extended?: {
    readonly extension: Uint8Array;
    readonly uid: number;
    readonly gid: number;
    readonly muid: number;
  };
}

/**
 * Kinds of fields, little endian. Numbers of 64 bits are numbers where those are exact, else bigints.
 *
 * - `bits`: 64 bits, of which no dialect gives the upper 32 a meaning
 * - `string`: `len[2]` and any bytes
 * - `name`: a string that is the name of a file
 * - `names`: `count[2]` and at most 16 names, which may be `..`
 * - `target`: a string that can be a symbolic link
 * - `attributeName`: a string that can be the name of an attribute, or empty
 * - `data`: `count[4]` and any bytes
 * - `stat`: `n[2]` and a record of that many bytes
 */
export interface FieldValues {
  readonly uint8: number;
  readonly uint16: number;
  readonly uint32: number;
  readonly uint64: number | bigint;
  readonly bits: number;
  readonly time: Time;
  readonly qid: Qid;
  readonly qids: readonly Qid[];
  readonly string: Uint8Array;
  readonly name: Uint8Array;
  readonly names: readonly Uint8Array[];
  readonly target: Uint8Array;
  readonly attributeName: Uint8Array;
  readonly data: Uint8Array;
  readonly stat: StatRecord;
}
export type FieldKind = keyof FieldValues;

/** Kinds that a client sends, and kinds that it is sent. */
export type RequestKind = Exclude<FieldKind, 'qid' | 'qids'>;
export type ReplyKind = Exclude<FieldKind, 'name' | 'names' | 'target' | 'attributeName'>;

/** A field that is not always there, and what its value is then. */
export interface Conditional<Kind extends FieldKind> {
  readonly kind: Kind;
  /** `extended`: not in plain 9P2000. `last`: old clients leave it out at the end of the message. */
  readonly present: 'extended' | 'last';
  readonly otherwise: FieldValues[Kind];
}
export type Field<Kind extends FieldKind = FieldKind> = Kind | { [Each in Kind]: Conditional<Each> }[Kind];
export type Fields<Kind extends FieldKind = FieldKind> = Readonly<Record<string, Field<Kind>>>;
