/** A stat record of 9P2000, and one of 9P2000.u. */
import { qid, str, u16, u32, u64 } from './wire.js';

const odd = Buffer.from([0xff, 0xfe, 0x20]);
const bytes = (text: string): Buffer => Buffer.from(text);

/** `size[2] type[2] dev[4] qid[13] mode[4] atime[4] mtime[4] length[8] name uid gid muid`, and more in 9P2000.u. */
function stat(...more: readonly Buffer[]): Buffer {
  const rest = Buffer.concat([
    u16(7),
    u32(8),
    qid(0x80, 9, 10),
    u32(0x800001ed),
    u32(11),
    u32(12),
    u64(-1),
    str('n'),
    str('u'),
    str(''),
    str(odd),
    ...more,
  ]);
  return Buffer.concat([u16(rest.length), rest]);
}
export const plainRecordBytes = stat();
export const extendedRecordBytes = stat(str('b 8 1'), u32(13), u32(14), u32(0xffffffff));
export const plainRecord = {
  type: 7,
  dev: 8,
  qid: { type: 0x80, version: 9, path: 10 },
  mode: 0x800001ed,
  atime: 11,
  mtime: 12,
  length: 0xffff_ffff_ffff_ffffn,
  name: bytes('n'),
  uid: bytes('u'),
  gid: bytes(''),
  muid: odd,
};
export const extendedRecord = {
  ...plainRecord,
  extended: { extension: bytes('b 8 1'), uid: 13, gid: 14, muid: 0xffffffff },
};
