/**
 * A reply that is longer than asked for is heap corruption in QEMU: it copies a value into a buffer of the size it
 * named, and a link's target with a NUL behind it. So every size is asked for.
 */
import { symlinkSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sessionForTest } from '../../harness/helper-process.js';
import { setXattr } from '../../harness/libc.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import type { Reply, WireClient } from '../../harness/wire-client.js';
import { skipUnlessRoot } from '../../harness/root-only.js';

const skip = skipUnlessRoot('lengths of replies');
const { EINVAL, ENAMETOOLONG, ERANGE } = constants.errno;
const TARGET_LENGTHS = [1, 2, 100, 4_094, 4_095];
const VALUE_LENGTHS = [1, 2, 100, 2_000];
const HUGE = [4_096, 65_533, 65_534, 65_535, 65_536, 65_537, 0x10000 + 5, 0x7fffffff];
const NEGATIVE = [-1, -2, -0x80000000];

function serve(): { client: WireClient; directory: string } {
  const directory = exportForTest();
  for (const length of TARGET_LENGTHS) symlinkSync('t'.repeat(length), join(directory, `link${length}`));
  writeFileSync(join(directory, 'f'), '');
  for (const length of VALUE_LENGTHS) {
    setXattr(Buffer.from(join(directory, 'f')), Buffer.from(`user.v${length}`), Buffer.alloc(length, 'v'));
  }
  return { client: sessionForTest(directory).client, directory };
}

const everySizeTo = (size: number): number[] => Array.from({ length: size + 1 }, (_, index) => index);

function stringOf({ payload }: Reply): Buffer {
  expect(payload.length).toBe(2 + payload.readUInt16LE(0));
  return payload.subarray(2);
}

describe.skipIf(skip)('a reply', { timeout: 60_000 }, () => {
  it('with the target of a link is whole and leaves room for a NUL, or is an error', () => {
    const { client } = serve();
    for (const length of TARGET_LENGTHS) {
      for (const size of [...everySizeTo(length + 3), ...HUGE, ...NEGATIVE]) {
        const reply = client.request(requests.readlink(`/link${length}`, size));
        if (size <= 0) expect(reply.errno, `size ${size}`).toBe(EINVAL);
        else if (size <= length) expect(reply.errno, `size ${size}`).toBe(ENAMETOOLONG);
        else expect(stringOf(reply).length, `size ${size}`).toBe(length);
      }
    }
  });

  it('with the value of an attribute is whole and not longer than asked, or is an error', () => {
    const { client } = serve();
    for (const length of VALUE_LENGTHS) {
      for (const size of [...everySizeTo(length + 3), ...HUGE, ...NEGATIVE]) {
        const reply = client.request(requests.lgetxattr(size, '/f', `user.v${length}`));
        if (size < 0) expect(reply.errno, `size ${size}`).toBe(EINVAL);
        else if (size === 0) expect(reply.payload.readUInt32LE(0)).toBe(length);
        else if (size < length) expect(reply.errno, `size ${size}`).toBe(ERANGE);
        else expect(stringOf(reply).length, `size ${size}`).toBe(length);
      }
    }
  });

  it('with the names of the attributes is whole and not longer than asked, or is an error', () => {
    const { client } = serve();
    const length = client.request(requests.llistxattr(0, '/f')).payload.readUInt32LE(0);
    expect(length).toBeGreaterThan(20);
    for (const size of [...everySizeTo(length + 3), ...HUGE, ...NEGATIVE]) {
      const reply = client.request(requests.llistxattr(size, '/f'));
      if (size < 0) expect(reply.errno, `size ${size}`).toBe(EINVAL);
      else if (size === 0) expect(reply.payload.readUInt32LE(0)).toBe(length);
      else if (size < length) expect(reply.errno, `size ${size}`).toBe(ERANGE);
      else expect(stringOf(reply).length, `size ${size}`).toBe(length);
    }
  });

  it('carries nothing of an earlier, longer one', () => {
    const { client } = serve();
    client.request(requests.readlink('/link4095', 4_096));
    const { payload } = client.request(requests.readlink('/link1', 4_096));
    expect(payload).toEqual(Buffer.from([1, 0, 't'.charCodeAt(0)]));
  });
});
