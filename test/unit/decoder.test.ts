import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { RequestDecoder } from '../../src/proxy-protocol/decoder.js';
import { ByteSpan, Frame, MAX_FRAME_BYTES } from '../../src/proxy-protocol/frame.js';
import { type RequestName, requests } from '../../src/proxy-protocol/requests.js';
import { frame, int64, string } from './golden-frames.js';
import { goldenRequests as golden, path } from './golden-requests.js';

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
