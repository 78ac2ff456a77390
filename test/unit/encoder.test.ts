import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { type FieldsOf, RequestEncoder } from '../../src/proxy-protocol/encoder.js';
import { Frame, MAX_FRAME_BYTES } from '../../src/proxy-protocol/frame.js';
import { type RequestName, requests } from '../../src/proxy-protocol/requests.js';
import { goldenRequests } from './golden-requests.js';

const { E2BIG, ENAMETOOLONG } = constants.errno;
const names = Object.keys(requests) as RequestName[];
const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(0x61);

/** The fields of a golden request as its maker has them. */
function fieldsOf(name: RequestName): Record<string, number | bigint | Uint8Array> {
  return Object.fromEntries(
    Object.entries(goldenRequests[name].fields).map(([field, value]) => [
      field,
      typeof value === 'string' ? Buffer.from(value, 'hex') : (value as number | bigint),
    ]),
  );
}

function encoded<Name extends RequestName>(name: Name, fields: FieldsOf<Name>, at = 0): Buffer {
  const encoder = new RequestEncoder(name);
  const size = encoder.measure(fields);
  // as much room as it says that it needs, and no more
  const memory = new Uint8Array(at + size).fill(0x55);
  encoder.encode(fields, new Frame(memory), at, size);
  return Buffer.from(memory.subarray(at));
}

describe('the request encoder', () => {
  it.each(names)('writes every field of %s, wherever it begins', (name) => {
    for (const at of [0, 1, 2, 3]) {
      expect(encoded(name, fieldsOf(name) as never, at).toString('hex')).toBe(
        goldenRequests[name].bytes.toString('hex'),
      );
    }
  });

  it('keeps 64-bit numbers exact', () => {
    const path = Buffer.from('/');
    for (const value of [0, -1, -5, 2 ** 32, -(2 ** 32), 2 ** 53 - 1, -(2 ** 53)]) {
      expect(encoded('truncate', { path, length: value }).readBigInt64LE(11)).toBe(BigInt(value));
    }
    for (const length of [2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n]) {
      expect(encoded('truncate', { path, length }).readBigInt64LE(11)).toBe(BigInt.asIntN(64, length));
    }
  });

  it('writes the largest request that there can be', () => {
    expect(encoded('lstat', { path: bytes(65_534) })).toHaveLength(MAX_FRAME_BYTES);
  });

  it('answers ENAMETOOLONG for a path that no request can carry', () => {
    const { measure } = {
      measure: (length: number) => new RequestEncoder('lstat').measure({ path: bytes(length) }),
    };
    expect(measure(65_535)).toBe(-ENAMETOOLONG);
    expect(measure(65_536)).toBe(-ENAMETOOLONG);
    expect(new RequestEncoder('rename').measure({ existing: bytes(40_000), path: bytes(40_000) })).toBe(
      -ENAMETOOLONG,
    );
  });

  it('answers E2BIG for a value that no request can carry', () => {
    const encoder = new RequestEncoder('lsetxattr');
    const withValue = (length: number): FieldsOf<'lsetxattr'> => {
      return { path: bytes(2), name: bytes(6), value: bytes(length), size: length, flags: 0 };
    };
    expect(encoder.measure(withValue(65_536))).toBe(-E2BIG);
    expect(encoder.measure(withValue(65_535))).toBe(-E2BIG);
    expect(encoder.measure(withValue(65_514))).toBe(MAX_FRAME_BYTES);
    expect(encoder.measure({ ...withValue(1), path: bytes(65_536) })).toBe(-ENAMETOOLONG);
  });
});
