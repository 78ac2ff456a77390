/** Every request of every dialect by hand: its bytes, and what they mean. */
import type { Dialect, RequestOf, RequestType } from '../../../src/server/p9/messages.js';
import { extendedRecord, extendedRecordBytes, plainRecord, plainRecordBytes } from './golden-records.js';
import { message, str, u16, u32, u64, u8 } from './wire.js';

export const TAG = 0x1234;
const T = 2 ** 53 + 2;
const odd = Buffer.from([0xff, 0xfe, 0x20]);
const bytes = (text: string): Buffer => Buffer.from(text);

type Expected<Type extends RequestType> = Omit<RequestOf<Type>, 'type' | 'tag'>;
interface Golden<Type extends RequestType> {
  readonly number: number;
  readonly in: Partial<Record<Dialect, readonly [Buffer[], Expected<Type>]>>;
}

const L = <Value>(fields: Buffer[], value: Value) => ({ '9P2000.L': [fields, value] as const });
const old = <Value>(fields: Buffer[], value: Value) => ({
  '9P2000': [fields, value] as const,
  '9P2000.u': [fields, value] as const,
});
const all = <Value>(fields: Buffer[], value: Value) => ({ ...old(fields, value), ...L(fields, value) });

const lock = [u32(1), u8(2)];
const range = [u64(3), u64(-1), u32(4), str('host')];
const rangeValue = { start: 3, length: 0xffff_ffff_ffff_ffffn, procId: 4, clientId: bytes('host') };
const who = [u32(1), u32(0xffffffff), str('root'), str('')];
const whoValue = { fid: 1, afid: 0xffffffff, uname: bytes('root'), aname: bytes('') };
const auth = [u32(1), str('root'), str('x')];
const authValue = { afid: 1, uname: bytes('root'), aname: bytes('x') };
const create = [u32(1), str('n'), u32(0x800001ed), u8(0x12)];
const createValue = { fid: 1, name: bytes('n'), permissions: 0x800001ed, mode: 0x12 };
const pair = (record: Buffer): Buffer => Buffer.concat([u16(record.length), record]);
const fid = { fid: 0xfffffffe };
const fidBytes = [u32(0xfffffffe)];

export const requests: { readonly [Type in RequestType]: Golden<Type> } = {
  Tstatfs: { number: 8, in: L(fidBytes, fid) },
  Tlopen: { number: 12, in: L([u32(1), u32(0o100002)], { fid: 1, flags: 0o100002 }) },
  Tlcreate: {
    number: 14,
    in: L([u32(1), str(odd), u32(2), u32(0o100644), u32(3)], {
      fid: 1,
      name: odd,
      flags: 2,
      mode: 0o100644,
      gid: 3,
    }),
  },
  Tsymlink: {
    number: 16,
    in: L([u32(1), str('n'), str('../a/b'), u32(3)], {
      dfid: 1,
      name: bytes('n'),
      target: bytes('../a/b'),
      gid: 3,
    }),
  },
  Tmknod: {
    number: 18,
    in: L([u32(1), str('n'), u32(0o60600), u32(8), u32(9), u32(3)], {
      dfid: 1,
      name: bytes('n'),
      mode: 0o60600,
      major: 8,
      minor: 9,
      gid: 3,
    }),
  },
  Trename: { number: 20, in: L([u32(1), u32(2), str('n')], { fid: 1, dfid: 2, name: bytes('n') }) },
  Treadlink: { number: 22, in: L(fidBytes, fid) },
  Tgetattr: { number: 24, in: L([u32(1), u64(0x1_0000_3fff)], { fid: 1, mask: 0x3fff }) },
  Tsetattr: {
    number: 26,
    in: L(
      [u32(1), u32(0x1ff), u32(2), u32(3), u32(4), u64(2 ** 40), u64(-5), u64(6), u64(2n ** 62n), u64(7)],
      {
        fid: 1,
        valid: 0x1ff,
        mode: 2,
        uid: 3,
        gid: 4,
        size: 2 ** 40,
        atime: { seconds: -5, nanoseconds: 6 },
        mtime: { seconds: 2n ** 62n, nanoseconds: 7 },
      },
    ),
  },
  Txattrwalk: {
    number: 30,
    in: L([u32(1), u32(2), str('')], { fid: 1, newfid: 2, name: bytes('') }),
  },
  Txattrcreate: {
    number: 32,
    in: L([u32(1), str('user.a/b'), u64(5), u32(1)], { fid: 1, name: bytes('user.a/b'), size: 5, flags: 1 }),
  },
  Treaddir: {
    number: 40,
    in: L([u32(1), u64(2n ** 63n), u32(4096)], { fid: 1, offset: 2n ** 63n, count: 4096 }),
  },
  Tfsync: { number: 50, in: L([u32(1), u32(1)], { fid: 1, datasync: 1 }) },
  Tlock: {
    number: 52,
    in: L([...lock, u32(1), ...range], { fid: 1, lockType: 2, flags: 1, ...rangeValue }),
  },
  Tgetlock: { number: 54, in: L([...lock, ...range], { fid: 1, lockType: 2, ...rangeValue }) },
  Tlink: { number: 70, in: L([u32(1), u32(2), str('n')], { dfid: 1, fid: 2, name: bytes('n') }) },
  Tmkdir: {
    number: 72,
    in: L([u32(1), str('n'), u32(0o755), u32(3)], { dfid: 1, name: bytes('n'), mode: 0o755, gid: 3 }),
  },
  Trenameat: {
    number: 74,
    in: L([u32(1), str('a'), u32(2), str('b')], {
      olddirfid: 1,
      oldname: bytes('a'),
      newdirfid: 2,
      newname: bytes('b'),
    }),
  },
  Tunlinkat: {
    number: 76,
    in: L([u32(1), str('n'), u32(0x200)], { dirfid: 1, name: bytes('n'), flags: 0x200 }),
  },
  Tversion: {
    number: 100,
    in: all([u32(8192), str('9P2000.L')], { msize: 8192, version: bytes('9P2000.L') }),
  },
  Tauth: {
    number: 102,
    in: {
      '9P2000': [auth, { ...authValue, nUname: 0xffffffff }],
      '9P2000.u': [[...auth, u32(0)], { ...authValue, nUname: 0 }],
      '9P2000.L': [[...auth, u32(1000)], { ...authValue, nUname: 1000 }],
    },
  },
  Tattach: {
    number: 104,
    in: {
      '9P2000': [who, { ...whoValue, nUname: 0xffffffff }],
      '9P2000.u': [[...who, u32(0)], { ...whoValue, nUname: 0 }],
      '9P2000.L': [[...who, u32(1000)], { ...whoValue, nUname: 1000 }],
    },
  },
  Tflush: { number: 108, in: all([u16(0xfffe)], { oldtag: 0xfffe }) },
  Twalk: {
    number: 110,
    in: all([u32(1), u32(2), u16(3), str('a'), str('..'), str(odd)], {
      fid: 1,
      newfid: 2,
      names: [bytes('a'), bytes('..'), odd],
    }),
  },
  Topen: { number: 112, in: old([u32(1), u8(0x11)], { fid: 1, mode: 0x11 }) },
  Tcreate: {
    number: 114,
    in: {
      '9P2000': [create, { ...createValue, extension: new Uint8Array(0) }],
      '9P2000.u': [[...create, str('b 8 1')], { ...createValue, extension: bytes('b 8 1') }],
    },
  },
  Tread: { number: 116, in: all([u32(1), u64(T), u32(512)], { fid: 1, offset: BigInt(T), count: 512 }) },
  Twrite: {
    number: 118,
    in: all([u32(1), u64(2 ** 53 - 1), u32(3), odd], { fid: 1, offset: 2 ** 53 - 1, data: odd }),
  },
  Tclunk: { number: 120, in: all(fidBytes, fid) },
  Tremove: { number: 122, in: all(fidBytes, fid) },
  Tstat: { number: 124, in: old(fidBytes, fid) },
  Twstat: {
    number: 126,
    in: {
      '9P2000': [[u32(1), pair(plainRecordBytes)], { fid: 1, stat: plainRecord }],
      '9P2000.u': [[u32(1), pair(extendedRecordBytes)], { fid: 1, stat: extendedRecord }],
    },
  },
};

export interface Frame {
  readonly type: RequestType;
  readonly dialect: Dialect;
  readonly frame: Buffer;
  readonly request: Readonly<Record<string, unknown>>;
}

/** All of the above as frames. */
export const frames: readonly Frame[] = Object.entries(requests).flatMap(([name, golden]) =>
  Object.entries(golden.in as Record<Dialect, readonly [Buffer[], object]>).map(
    ([dialect, [fields, value]]) => ({
      type: name as RequestType,
      dialect: dialect as Dialect,
      frame: message(golden.number, TAG, ...fields),
      request: { type: name, tag: TAG, ...value },
    }),
  ),
);
