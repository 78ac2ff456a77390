import type { Conditional, FieldKind, Fields, FieldValues, ReplyKind, RequestKind } from './fields.js';
import { NONUNAME } from './numbers.js';

/**
 * Every message of 9P2000.L, 9P2000.u and 9P2000, declared once: its number, the dialects that have it, and the fields
 * of request and reply in wire order. Decoder, encoder and types come from these tables. Sources: intro(5) of Plan 9,
 * the 9P2000.u draft, diod's protocol.md.
 */

export type Dialect = '9P2000.L' | '9P2000.u' | '9P2000';

export interface MessageLayout {
  /** That of the request; the reply's is one more. */
  readonly number: number;
  readonly dialects: readonly Dialect[];
  /** `undefined`: there is only a reply. */
  readonly request: Fields<RequestKind> | undefined;
  readonly reply: Fields<ReplyKind>;
}

const EMPTY = new Uint8Array(0);
const userNumber = { kind: 'uint32', present: 'extended', otherwise: NONUNAME } as const;

const linux = ['9P2000.L'] as const;
const original = ['9P2000', '9P2000.u'] as const;
const all = ['9P2000', '9P2000.u', '9P2000.L'] as const;

export const messages = {
  lerror: { number: 6, dialects: linux, request: undefined, reply: { ecode: 'uint32' } },
  statfs: {
    number: 8,
    dialects: linux,
    request: { fid: 'uint32' },
    reply: {
      type: 'uint32',
      bsize: 'uint32',
      blocks: 'uint64',
      bfree: 'uint64',
      bavail: 'uint64',
      files: 'uint64',
      ffree: 'uint64',
      fsid: 'uint64',
      namelen: 'uint32',
    },
  },
  lopen: {
    number: 12,
    dialects: linux,
    request: { fid: 'uint32', flags: 'uint32' },
    reply: { qid: 'qid', iounit: 'uint32' },
  },
  lcreate: {
    number: 14,
    dialects: linux,
    request: { fid: 'uint32', name: 'name', flags: 'uint32', mode: 'uint32', gid: 'uint32' },
    reply: { qid: 'qid', iounit: 'uint32' },
  },
  symlink: {
    number: 16,
    dialects: linux,
    request: { dfid: 'uint32', name: 'name', target: 'target', gid: 'uint32' },
    reply: { qid: 'qid' },
  },
  mknod: {
    number: 18,
    dialects: linux,
    request: {
      dfid: 'uint32',
      name: 'name',
      mode: 'uint32',
      major: 'uint32',
      minor: 'uint32',
      gid: 'uint32',
    },
    reply: { qid: 'qid' },
  },
  rename: {
    number: 20,
    dialects: linux,
    request: { fid: 'uint32', dfid: 'uint32', name: 'name' },
    reply: {},
  },
  readlink: { number: 22, dialects: linux, request: { fid: 'uint32' }, reply: { target: 'string' } },
  getattr: {
    number: 24,
    dialects: linux,
    request: { fid: 'uint32', mask: 'bits' },
    reply: {
      valid: 'bits',
      qid: 'qid',
      mode: 'uint32',
      uid: 'uint32',
      gid: 'uint32',
      nlink: 'uint64',
      rdev: 'uint64',
      size: 'uint64',
      blksize: 'uint64',
      blocks: 'uint64',
      atime: 'time',
      mtime: 'time',
      ctime: 'time',
      btime: 'time',
      gen: 'uint64',
      dataVersion: 'uint64',
    },
  },
  setattr: {
    number: 26,
    dialects: linux,
    request: {
      fid: 'uint32',
      valid: 'uint32',
      mode: 'uint32',
      uid: 'uint32',
      gid: 'uint32',
      size: 'uint64',
      atime: 'time',
      mtime: 'time',
    },
    reply: {},
  },
  xattrwalk: {
    number: 30,
    dialects: linux,
    request: { fid: 'uint32', newfid: 'uint32', name: 'attributeName' },
    reply: { size: 'uint64' },
  },
  xattrcreate: {
    number: 32,
    dialects: linux,
    request: { fid: 'uint32', name: 'attributeName', size: 'uint64', flags: 'uint32' },
    reply: {},
  },
  readdir: {
    number: 40,
    dialects: linux,
    request: { fid: 'uint32', offset: 'uint64', count: 'uint32' },
    reply: { data: 'data' },
  },
  fsync: {
    number: 50,
    dialects: linux,
    request: { fid: 'uint32', datasync: { kind: 'uint32', present: 'last', otherwise: 0 } },
    reply: {},
  },
  lock: {
    number: 52,
    dialects: linux,
    request: {
      fid: 'uint32',
      lockType: 'uint8',
      flags: 'uint32',
      start: 'uint64',
      length: 'uint64',
      procId: 'uint32',
      clientId: 'string',
    },
    reply: { status: 'uint8' },
  },
  getlock: {
    number: 54,
    dialects: linux,
    request: {
      fid: 'uint32',
      lockType: 'uint8',
      start: 'uint64',
      length: 'uint64',
      procId: 'uint32',
      clientId: 'string',
    },
    reply: { lockType: 'uint8', start: 'uint64', length: 'uint64', procId: 'uint32', clientId: 'string' },
  },
  link: { number: 70, dialects: linux, request: { dfid: 'uint32', fid: 'uint32', name: 'name' }, reply: {} },
  mkdir: {
    number: 72,
    dialects: linux,
    request: { dfid: 'uint32', name: 'name', mode: 'uint32', gid: 'uint32' },
    reply: { qid: 'qid' },
  },
  renameat: {
    number: 74,
    dialects: linux,
    request: { olddirfid: 'uint32', oldname: 'name', newdirfid: 'uint32', newname: 'name' },
    reply: {},
  },
  unlinkat: {
    number: 76,
    dialects: linux,
    request: { dirfid: 'uint32', name: 'name', flags: 'uint32' },
    reply: {},
  },
  version: {
    number: 100,
    dialects: all,
    request: { msize: 'uint32', version: 'string' },
    reply: { msize: 'uint32', version: 'string' },
  },
  auth: {
    number: 102,
    dialects: all,
    request: { afid: 'uint32', uname: 'string', aname: 'string', nUname: userNumber },
    reply: { aqid: 'qid' },
  },
  attach: {
    number: 104,
    dialects: all,
    request: { fid: 'uint32', afid: 'uint32', uname: 'string', aname: 'string', nUname: userNumber },
    reply: { qid: 'qid' },
  },
  error: {
    number: 106,
    dialects: original,
    request: undefined,
    reply: { ename: 'string', errno: { kind: 'uint32', present: 'extended', otherwise: 0 } },
  },
  flush: { number: 108, dialects: all, request: { oldtag: 'uint16' }, reply: {} },
  walk: {
    number: 110,
    dialects: all,
    request: { fid: 'uint32', newfid: 'uint32', names: 'names' },
    reply: { qids: 'qids' },
  },
  open: {
    number: 112,
    dialects: original,
    request: { fid: 'uint32', mode: 'uint8' },
    reply: { qid: 'qid', iounit: 'uint32' },
  },
  create: {
    number: 114,
    dialects: original,
    request: {
      fid: 'uint32',
      name: 'name',
      permissions: 'uint32',
      mode: 'uint8',
      extension: { kind: 'string', present: 'extended', otherwise: EMPTY },
    },
    reply: { qid: 'qid', iounit: 'uint32' },
  },
  read: {
    number: 116,
    dialects: all,
    request: { fid: 'uint32', offset: 'uint64', count: 'uint32' },
    reply: { data: 'data' },
  },
  write: {
    number: 118,
    dialects: all,
    request: { fid: 'uint32', offset: 'uint64', data: 'data' },
    reply: { count: 'uint32' },
  },
  clunk: { number: 120, dialects: all, request: { fid: 'uint32' }, reply: {} },
  remove: { number: 122, dialects: all, request: { fid: 'uint32' }, reply: {} },
  stat: { number: 124, dialects: original, request: { fid: 'uint32' }, reply: { stat: 'stat' } },
  wstat: { number: 126, dialects: original, request: { fid: 'uint32', stat: 'stat' }, reply: {} },
} as const satisfies Record<string, MessageLayout>;

export type MessageName = keyof typeof messages;
type Requested = {
  [Name in MessageName]: (typeof messages)[Name]['request'] extends undefined ? never : Name;
}[MessageName];

type KindOf<F> = F extends FieldKind ? F : F extends Conditional<infer Kind> ? Kind : never;
type Optional<F extends Fields> = {
  [Name in keyof F]: F[Name] extends { present: 'extended' } ? Name : never;
}[keyof F];

/** Every field has a value: a conditional one that was not sent has its `otherwise`. */
type Decoded<F> = { readonly [Name in keyof F]: FieldValues[KindOf<F[Name]>] };
/** A field that a dialect may lack may be left out, and then is. */
type Encoded<F extends Fields> = {
  readonly [Name in Exclude<keyof F, Optional<F>>]: FieldValues[KindOf<F[Name]>];
} & {
  readonly [Name in Optional<F>]?: FieldValues[KindOf<F[Name]>];
};

type Requests = {
  [Name in Requested as `T${Name}`]: {
    readonly type: `T${Name}`;
    readonly tag: number;
  } & Decoded<(typeof messages)[Name]['request']>;
};
type Replies = {
  [Name in MessageName as `R${Name}`]: Encoded<(typeof messages)[Name]['reply']>;
};

export type RequestType = keyof Requests;
/** A decoded request of one type. */
export type RequestOf<Type extends RequestType> = Requests[Type];
/** A decoded request of any type, to be told apart by `type`. */
export type Request = Requests[RequestType];

export type ReplyType = keyof Replies;
/** The fields of one type of reply. */
export type ReplyOf<Type extends ReplyType> = Replies[Type];
