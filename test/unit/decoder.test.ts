import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { RequestDecoder } from '../../src/proxy-protocol/decoder.js';
import { ByteSpan, Frame, MAX_FRAME_BYTES } from '../../src/proxy-protocol/frame.js';
import { type RequestName, requests } from '../../src/proxy-protocol/requests.js';
import { frame, int64, string, uint32 } from './golden-frames.js';

const path = string(Buffer.from([0x2f, 0xff, 0xfe]));
const other = string(Buffer.from('/b'));

/** Every request with its payload by hand, and what must come out of it; strings as hex. */
const golden: Record<RequestName, { bytes: Buffer; fields: Record<string, unknown> }> = {
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

function decoderWith(name: RequestName, bytes: Buffer): { result: number; fields: Record<string, unknown> } {
  const memory = new Uint8Array(MAX_FRAME_BYTES);
  // what an earlier request left behind must not show
  memory.fill(0x55);
  memory.set(bytes);
  const decoder = new RequestDecoder(requests[name], new Frame(memory));
  const result = decoder.decode(bytes.length - 8);
  const fields = Object.fromEntries(
    Object.entries(decoder.request).map(([field, value]) => [
      field,
      value instanceof ByteSpan
        ? Buffer.from(value.frame.subarray(value.start, value.start + value.length)).toString('hex')
        : value,
    ]),
  );
  return { result, fields };
}

const names = Object.keys(requests) as RequestName[];

describe('the request decoder', () => {
  it.each(names)('reads every field of %s', (name) => {
    const { bytes, fields } = golden[name];
    expect(requests[name].opcode).toBe(bytes.readUInt32LE(0));
    expect(decoderWith(name, bytes)).toEqual({ result: 0, fields });
  });

  it.each(names)('answers ENOBUFS for %s cut at any byte', (name) => {
    const { bytes } = golden[name];
    for (let length = 8; length < bytes.length; length++) {
      expect(decoderWith(name, bytes.subarray(0, length)).result).toBe(-constants.errno.ENOBUFS);
    }
  });

  it('takes the NUL that QEMU puts at the end of a path as no part of it', () => {
    const { result, fields } = decoderWith(
      'rename',
      frame(15, string(Buffer.from('/a\0')), string(Buffer.from('\0'))),
    );
    expect(result).toBe(0);
    expect(fields).toEqual({ existing: '2f61', path: '' });
  });

  it('refuses a NUL inside a path, but not in a value', () => {
    const nul = string(Buffer.from('/a\0b\0'));
    expect(decoderWith('lstat', frame(8, nul)).result).toBe(-constants.errno.EINVAL);
    expect(decoderWith('rename', frame(15, path, nul)).result).toBe(-constants.errno.EINVAL);
    expect(decoderWith('lsetxattr', golden.lsetxattr.bytes).result).toBe(0);
  });

  it('does not read a length from beyond the frame', () => {
    const tooLong = Buffer.concat([frame(8, Buffer.from([0xff, 0xff])), Buffer.from('/etc')]);
    expect(decoderWith('lstat', tooLong).result).toBe(-constants.errno.ENOBUFS);
  });

  it('keeps 64-bit numbers exact', () => {
    for (const value of [0n, -1n, 2n ** 53n, -(2n ** 53n), 2n ** 53n - 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
      const { fields } = decoderWith('truncate', frame(13, path, int64(value)));
      expect(BigInt(fields['length'] as number | bigint)).toBe(value);
    }
  });
});
