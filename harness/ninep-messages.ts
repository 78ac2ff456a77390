/**
 * The messages of 9P2000.L, 9P2000.u and 9P2000, as intro(5) of Plan 9, its .u extension and Linux' `net/9p` have them.
 * Written apart from `src/server`, so that a mistake there shows here.
 */

export type Dialect = '9P2000.L' | '9P2000.u' | '9P2000';

export interface Qid {
  readonly type: number;
  readonly version: number;
  readonly path: bigint;
}

export interface Time {
  readonly seconds: bigint;
  readonly nanoseconds: bigint;
}

/** Names are bytes; as text they have one character for each byte (latin1), so nothing is lost. */
export type Name = string | Uint8Array;

// A layout is a list of NAME:KIND. The kinds: 1, 2, 4, 8 bytes of a number; s string; d count[4] and data; n count[2] and
// data; q qid; t time; S and Q lists of strings and qids.
export interface Received {
  1: number;
  2: number;
  4: number;
  8: bigint;
  s: string;
  d: Buffer;
  n: Buffer;
  q: Qid;
  t: Time;
  S: readonly string[];
  Q: readonly Qid[];
}
export interface Sent {
  1: number;
  2: number;
  4: number;
  8: number | bigint;
  s: Name;
  d: Uint8Array;
  n: Uint8Array;
  q: Qid;
  t: Time;
  S: readonly Name[];
  Q: readonly Qid[];
}
type Fields<Layout extends string, Kinds> = Layout extends `${infer First} ${infer Rest}`
  ? Fields<First, Kinds> & Fields<Rest, Kinds>
  : Layout extends `${infer Field}:${infer Kind extends string}`
    ? Readonly<Record<Field, KindOf<Kind, Kinds>>>
    : unknown;
type KindOf<Kind extends string, Kinds> = Kind extends `${infer Digit extends number}`
  ? Digit extends keyof Kinds
    ? Kinds[Digit]
    : never
  : Kind extends keyof Kinds
    ? Kinds[Kind]
    : never;

const lockFields = 'type:1 start:8 length:8 proc_id:4 client_id:s';

/** Number, layout, and what .u (and what it shares with .L) has after that. */
export const messages = {
  Tlerror: [6, '', ''],
  Rlerror: [7, 'ecode:4', ''],
  Tstatfs: [8, 'fid:4', ''],
  Rstatfs: [9, 'type:4 bsize:4 blocks:8 bfree:8 bavail:8 files:8 ffree:8 fsid:8 namelen:4', ''],
  Tlopen: [12, 'fid:4 flags:4', ''],
  Rlopen: [13, 'qid:q iounit:4', ''],
  Tlcreate: [14, 'fid:4 name:s flags:4 mode:4 gid:4', ''],
  Rlcreate: [15, 'qid:q iounit:4', ''],
  Tsymlink: [16, 'dfid:4 name:s target:s gid:4', ''],
  Rsymlink: [17, 'qid:q', ''],
  Tmknod: [18, 'dfid:4 name:s mode:4 major:4 minor:4 gid:4', ''],
  Rmknod: [19, 'qid:q', ''],
  Trename: [20, 'fid:4 dfid:4 name:s', ''],
  Rrename: [21, '', ''],
  Treadlink: [22, 'fid:4', ''],
  Rreadlink: [23, 'target:s', ''],
  Tgetattr: [24, 'fid:4 mask:8', ''],
  Rgetattr: [
    25,
    'valid:8 qid:q mode:4 uid:4 gid:4 nlink:8 rdev:8 size:8 blksize:8 blocks:8 atime:t mtime:t ctime:t btime:t gen:8 data_version:8',
    '',
  ],
  Tsetattr: [26, 'fid:4 valid:4 mode:4 uid:4 gid:4 size:8 atime:t mtime:t', ''],
  Rsetattr: [27, '', ''],
  Txattrwalk: [30, 'fid:4 newfid:4 name:s', ''],
  Rxattrwalk: [31, 'size:8', ''],
  Txattrcreate: [32, 'fid:4 name:s size:8 flags:4', ''],
  Rxattrcreate: [33, '', ''],
  Treaddir: [40, 'fid:4 offset:8 count:4', ''],
  Rreaddir: [41, 'data:d', ''],
  Tfsync: [50, 'fid:4 datasync:4', ''],
  Rfsync: [51, '', ''],
  Tlock: [52, 'fid:4 type:1 flags:4 start:8 length:8 proc_id:4 client_id:s', ''],
  Rlock: [53, 'status:1', ''],
  Tgetlock: [54, `fid:4 ${lockFields}`, ''],
  Rgetlock: [55, lockFields, ''],
  Tlink: [70, 'dfid:4 fid:4 name:s', ''],
  Rlink: [71, '', ''],
  Tmkdir: [72, 'dfid:4 name:s mode:4 gid:4', ''],
  Rmkdir: [73, 'qid:q', ''],
  Trenameat: [74, 'olddirfid:4 oldname:s newdirfid:4 newname:s', ''],
  Rrenameat: [75, '', ''],
  Tunlinkat: [76, 'dirfd:4 name:s flags:4', ''],
  Runlinkat: [77, '', ''],
  Tversion: [100, 'msize:4 version:s', ''],
  Rversion: [101, 'msize:4 version:s', ''],
  Tauth: [102, 'afid:4 uname:s aname:s', 'n_uname:4'],
  Rauth: [103, 'aqid:q', ''],
  Tattach: [104, 'fid:4 afid:4 uname:s aname:s', 'n_uname:4'],
  Rattach: [105, 'qid:q', ''],
  Rerror: [107, 'ename:s', 'errno:4'],
  Tflush: [108, 'oldtag:2', ''],
  Rflush: [109, '', ''],
  Twalk: [110, 'fid:4 newfid:4 names:S', ''],
  Rwalk: [111, 'qids:Q', ''],
  Topen: [112, 'fid:4 mode:1', ''],
  Ropen: [113, 'qid:q iounit:4', ''],
  Tcreate: [114, 'fid:4 name:s perm:4 mode:1', 'extension:s'],
  Rcreate: [115, 'qid:q iounit:4', ''],
  Tread: [116, 'fid:4 offset:8 count:4', ''],
  Rread: [117, 'data:d', ''],
  Twrite: [118, 'fid:4 offset:8 data:d', ''],
  Rwrite: [119, 'count:4', ''],
  Tclunk: [120, 'fid:4', ''],
  Rclunk: [121, '', ''],
  Tremove: [122, 'fid:4', ''],
  Rremove: [123, '', ''],
  Tstat: [124, 'fid:4', ''],
  Rstat: [125, 'stat:n', ''],
  Twstat: [126, 'fid:4 stat:n', ''],
  Rwstat: [127, '', ''],
} as const satisfies Record<string, readonly [number, string, string]>;

export type MessageName = keyof typeof messages;
export type RequestName = Exclude<MessageName & `T${string}`, 'Tlerror'>;
export type ReplyTo<Name extends RequestName> = Name extends `T${infer Rest}`
  ? MessageName & `R${Rest}`
  : never;

type Flat<T> = { [key in keyof T]: T[key] };
export type SentFields<Name extends MessageName> = Flat<
  Fields<(typeof messages)[Name][1], Sent> & Partial<Fields<(typeof messages)[Name][2], Sent>>
>;
export type ReceivedFields<Name extends MessageName> = Flat<
  Fields<(typeof messages)[Name][1], Received> & Partial<Fields<(typeof messages)[Name][2], Received>>
>;

export const NOTAG = 0xffff;
export const NOFID = 0xffffffff;
/** An id that says: as it is, or unknown. */
export const NONUNAME = 0xffffffff;

/** A record of 9P2000's stat(5), and what .u adds. */
export const STAT_LAYOUT = 'type:2 dev:4 qid:q mode:4 atime:4 mtime:4 length:8 name:s uid:s gid:s muid:s';
export const STAT_EXTENSION = 'extension:s n_uid:4 n_gid:4 n_muid:4';
export type StatFields<Kinds> = Flat<
  Fields<typeof STAT_LAYOUT, Kinds> & Partial<Fields<typeof STAT_EXTENSION, Kinds>>
>;
export type StatRecord = StatFields<Received>;

export interface DirectoryEntry {
  readonly qid: Qid;
  readonly offset: bigint;
  readonly type: number;
  readonly name: string;
}
