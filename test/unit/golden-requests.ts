import type { RequestName } from '../../src/proxy-protocol/requests.js';
import { frame, int64, string, uint32 } from './golden-frames.js';

export const path = string(Buffer.from([0x2f, 0xff, 0xfe]));
const other = string(Buffer.from('/b'));

/** Every request with its payload by hand, and what must come out of it; strings as hex. */
export const goldenRequests: Record<RequestName, { bytes: Buffer; fields: Record<string, unknown> }> = {
  open: { bytes: frame(2, path, uint32(0x8002)), fields: { path: '2ffffe', flags: 0x8002 } },
  create: {
    bytes: frame(3, path, uint32(0x42), uint32(0o100644), uint32(1000), uint32(0xfffffffe)),
    fields: { path: '2ffffe', flags: 0x42, mode: 0o100644, uid: 1000, gid: 0xfffffffe },
  },
  mknod: {
    bytes: frame(4, uint32(1), uint32(2), path, uint32(0o20600), int64(0x501n)),
    fields: { uid: 1, gid: 2, path: '2ffffe', mode: 0o20600, device: 0x501 },
  },
  mkdir: {
    bytes: frame(5, uint32(1), uint32(2), path, uint32(0o755)),
    fields: { uid: 1, gid: 2, path: '2ffffe', mode: 0o755 },
  },
  symlink: {
    bytes: frame(6, uint32(1), uint32(2), other, path),
    fields: { uid: 1, gid: 2, target: '2f62', path: '2ffffe' },
  },
  link: { bytes: frame(7, path, other), fields: { existing: '2ffffe', path: '2f62' } },
  lstat: { bytes: frame(8, path), fields: { path: '2ffffe' } },
  readlink: { bytes: frame(9, path, uint32(4096)), fields: { path: '2ffffe', size: 4096 } },
  statfs: { bytes: frame(10, path), fields: { path: '2ffffe' } },
  chmod: { bytes: frame(11, path, uint32(0o4755)), fields: { path: '2ffffe', mode: 0o4755 } },
  chown: {
    bytes: frame(12, path, uint32(-1), uint32(7)),
    fields: { path: '2ffffe', uid: 0xffffffff, gid: 7 },
  },
  truncate: {
    bytes: frame(13, path, int64(2n ** 62n)),
    fields: { path: '2ffffe', length: 2n ** 62n },
  },
  utime: {
    bytes: frame(14, path, int64(-5n), int64(1n), int64(5_000_000_000n), int64(0x3fffffffn)),
    fields: {
      path: '2ffffe',
      atimeSeconds: -5,
      atimeNanoseconds: 1,
      mtimeSeconds: 5_000_000_000,
      mtimeNanoseconds: 0x3fffffff,
    },
  },
  rename: { bytes: frame(15, path, other), fields: { existing: '2ffffe', path: '2f62' } },
  remove: { bytes: frame(16, path), fields: { path: '2ffffe' } },
  lgetxattr: {
    bytes: frame(17, uint32(-1), path, other),
    fields: { size: -1, path: '2ffffe', name: '2f62' },
  },
  llistxattr: { bytes: frame(18, uint32(64), path), fields: { size: 64, path: '2ffffe' } },
  lsetxattr: {
    bytes: frame(19, path, other, string(Buffer.from([0, 1, 0])), uint32(3), uint32(2)),
    fields: { path: '2ffffe', name: '2f62', value: '000100', size: 3, flags: 2 },
  },
  lremovexattr: { bytes: frame(20, path, other), fields: { path: '2ffffe', name: '2f62' } },
  getversion: { bytes: frame(21, path), fields: { path: '2ffffe' } },
};
