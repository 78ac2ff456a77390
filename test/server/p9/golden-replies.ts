/** Every reply by hand: its fields, and its bytes. */
import type { ReplyOf, ReplyType } from '../../../src/server/p9/messages.js';
import { extendedRecord, extendedRecordBytes } from './golden-records.js';
import { qid, str, u16, u32, u64, u8 } from './wire.js';

const odd = Buffer.from([0xff, 0xfe, 0x20]);
const bytes = (text: string): Buffer => Buffer.from(text);
const range = [u64(3), u64(-1), u32(4), str('host')];
const rangeValue = { start: 3, length: 0xffff_ffff_ffff_ffffn, procId: 4, clientId: bytes('host') };
const pair = (record: Buffer): Buffer => Buffer.concat([u16(record.length), record]);
const aQid = { type: 0x02, version: 0xdeadbeef, path: 2n ** 64n - 1n };
const aQidBytes = qid(0x02, 0xdeadbeef, -1);
const opened = [aQidBytes, u32(4096)];
const openedValue = { qid: aQid, iounit: 4096 };
const time = (seconds: number): Buffer => Buffer.concat([u64(seconds), u64(999_999_999)]);
const timeValue = (seconds: number) => ({ seconds, nanoseconds: 999_999_999 });

export const replies: {
  readonly [Type in ReplyType]: readonly [number, Buffer[], ReplyOf<Type>];
} = {
  Rlerror: [7, [u32(13)], { ecode: 13 }],
  Rstatfs: [
    9,
    [u32(0x01021997), u32(4096), u64(1), u64(2), u64(3), u64(4), u64(5), u64(2n ** 63n), u32(255)],
    {
      type: 0x01021997,
      bsize: 4096,
      blocks: 1,
      bfree: 2,
      bavail: 3,
      files: 4,
      ffree: 5,
      fsid: 2n ** 63n,
      namelen: 255,
    },
  ],
  Rlopen: [13, opened, openedValue],
  Rlcreate: [15, opened, openedValue],
  Rsymlink: [17, [aQidBytes], { qid: aQid }],
  Rmknod: [19, [aQidBytes], { qid: aQid }],
  Rrename: [21, [], {}],
  Rreadlink: [23, [str(odd)], { target: odd }],
  Rgetattr: [
    25,
    [
      u64(0x7ff),
      aQidBytes,
      ...[0o100644, 1000, 0xffffffff].map(u32),
      ...[1, 2, 2 ** 40 + 1, 4096, 5].map(u64),
      ...[-1, 0, 2 ** 33, 7].map(time),
      u64(8),
      u64(9),
    ],
    {
      valid: 0x7ff,
      qid: aQid,
      mode: 0o100644,
      uid: 1000,
      gid: 0xffffffff,
      nlink: 1,
      rdev: 2,
      size: 2 ** 40 + 1,
      blksize: 4096,
      blocks: 5,
      atime: timeValue(-1),
      mtime: timeValue(0),
      ctime: timeValue(2 ** 33),
      btime: timeValue(7),
      gen: 8,
      dataVersion: 9,
    },
  ],
  Rsetattr: [27, [], {}],
  Rxattrwalk: [31, [u64(77)], { size: 77 }],
  Rxattrcreate: [33, [], {}],
  Rreaddir: [41, [u32(3), odd], { data: odd }],
  Rfsync: [51, [], {}],
  Rlock: [53, [u8(1)], { status: 1 }],
  Rgetlock: [55, [u8(2), ...range], { lockType: 2, ...rangeValue }],
  Rlink: [71, [], {}],
  Rmkdir: [73, [aQidBytes], { qid: aQid }],
  Rrenameat: [75, [], {}],
  Runlinkat: [77, [], {}],
  Rversion: [101, [u32(8192), str('9P2000.u')], { msize: 8192, version: bytes('9P2000.u') }],
  Rauth: [103, [aQidBytes], { aqid: aQid }],
  Rattach: [105, [aQidBytes], { qid: aQid }],
  Rerror: [107, [str('No such process'), u32(3)], { ename: bytes('No such process'), errno: 3 }],
  Rflush: [109, [], {}],
  Rwalk: [111, [u16(2), qid(0x80, 1, 2), aQidBytes], { qids: [{ type: 0x80, version: 1, path: 2 }, aQid] }],
  Ropen: [113, opened, openedValue],
  Rcreate: [115, opened, openedValue],
  Rread: [117, [u32(3), odd], { data: odd }],
  Rwrite: [119, [u32(0xffffffff)], { count: 0xffffffff }],
  Rclunk: [121, [], {}],
  Rremove: [123, [], {}],
  Rstat: [125, [pair(extendedRecordBytes)], { stat: extendedRecord }],
  Rwstat: [127, [], {}],
};
