import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { DirectoryWriter } from '../../../src/server/p9/directory-writer.js';
import { encodeDataHeader, encodeReply } from '../../../src/server/p9/encode.js';
import { encodeError } from '../../../src/server/p9/errors.js';
import { type ReplyType } from '../../../src/server/p9/messages.js';
import { extendedRecord, extendedRecordBytes, plainRecord, plainRecordBytes } from './golden-records.js';
import { replies } from './golden-replies.js';
import { TAG } from './golden-requests.js';
import { message, qid, str, u32, u64, u8 } from './wire.js';

const GUARD = 0xa5;

/** What `write` does in memory of so many bytes that has others behind it, which must not change. */
function guarded(length: number, write: (into: Uint8Array) => number): { result: number; bytes: Buffer } {
  const memory = Buffer.alloc(length + 64, GUARD);
  const result = write(memory.subarray(0, length));
  expect(memory.subarray(length).equals(Buffer.alloc(64, GUARD))).toBe(true);
  return { result, bytes: memory.subarray(0, Math.max(0, result)) };
}

const golden = Object.entries(replies).map(([type, [number, fields, value]]) => ({
  type: type as ReplyType,
  expected: message(number, TAG, ...fields),
  // the table's types go with the reply's
  value: value as never,
}));

describe('a reply', () => {
  it.each(golden)('$type has the bytes of the protocol', ({ type, expected, value }) => {
    const { bytes } = guarded(expected.length, (into) => encodeReply(type, TAG, value, into));
    expect(bytes.toString('hex')).toBe(expected.toString('hex'));
    const longer = guarded(expected.length + 10, (into) => encodeReply(type, TAG, value, into));
    expect(longer.bytes.equals(expected)).toBe(true);
  });

  it.each(golden)('$type is not written where it does not fit', ({ type, expected, value }) => {
    for (let length = 0; length < expected.length; length++) {
      expect(guarded(length, (into) => encodeReply(type, TAG, value, into)).result).toBe(-1);
    }
  });

  it('with a string that no length field can say does not fit', () => {
    const target = Buffer.alloc(65_536);
    expect(encodeReply('Rreadlink', TAG, { target }, Buffer.alloc(100_000))).toBe(-1);
    const fits = target.subarray(1);
    expect(encodeReply('Rreadlink', TAG, { target: fits }, Buffer.alloc(100_000))).toBe(7 + 2 + 65_535);
  });

  it('Rstat of a record that no length field can say does not fit', () => {
    const name = Buffer.alloc(65_500);
    expect(encodeReply('Rstat', TAG, { stat: { ...plainRecord, name } }, Buffer.alloc(100_000))).toBe(-1);
  });

  it.each([
    ['Rread', 117],
    ['Rreaddir', 41],
  ] as const)('%s of data in place gets its header', (type, number) => {
    const data = Buffer.from('data');
    const { bytes } = guarded(15, (into) => {
      into.set(data, 11);
      return encodeDataHeader(type, TAG, 4, into);
    });
    expect(bytes.equals(message(number, TAG, u32(4), data))).toBe(true);
    expect(guarded(14, (into) => encodeDataHeader(type, TAG, 4, into)).result).toBe(-1);
    expect(guarded(10, (into) => encodeDataHeader(type, TAG, 0, into)).result).toBe(-1);
  });
});

describe('an error', () => {
  const error = (dialect: '9P2000.L' | '9P2000.u' | '9P2000', errno: number): Buffer =>
    guarded(128, (into) => encodeError(dialect, TAG, errno, into)).bytes;

  it('is a number in 9P2000.L', () => {
    expect(error('9P2000.L', 2).equals(message(7, TAG, u32(2)))).toBe(true);
  });
  it('is text and number in 9P2000.u', () => {
    expect(error('9P2000.u', 2).equals(message(107, TAG, str('No such file or directory'), u32(2)))).toBe(
      true,
    );
  });
  it('is text in 9P2000', () => {
    expect(error('9P2000', 2).equals(message(107, TAG, str('No such file or directory')))).toBe(true);
  });
  it('has the text of the C library', () => {
    const script = 'for (1..140) { $! = $_; print "$!\\n" }';
    const texts = execFileSync('perl', ['-e', script], { env: { LC_ALL: 'C' }, encoding: 'utf8' }).split(
      '\n',
    );
    for (let errno = 1; errno <= 140; errno++) {
      const expected = message(107, TAG, str(texts[errno - 1]!));
      expect(error('9P2000', errno).toString('latin1')).toBe(expected.toString('latin1'));
    }
  });
  it('is not written where it does not fit', () => {
    expect(guarded(10, (into) => encodeError('9P2000.L', TAG, 2, into)).result).toBe(-1);
    expect(guarded(33, (into) => encodeError('9P2000', TAG, 2, into)).result).toBe(-1);
  });
});

describe('a directory', () => {
  const entry = {
    qid: { type: 0x80, version: 1, path: 2n ** 63n },
    offset: 2n ** 63n - 1n,
    type: 4,
    name: Buffer.from([0x61, 0xff]),
  };
  const entryBytes = Buffer.concat([qid(0x80, 1, 2n ** 63n), u64(2n ** 63n - 1n), u8(4), str(entry.name)]);

  it('of 9P2000.L is read in whole entries', () => {
    for (let room = 0; room <= 3 * entryBytes.length; room++) {
      const { result, bytes } = guarded(room, (into) => {
        const writer = new DirectoryWriter(into);
        while (writer.append(entry));
        return writer.length;
      });
      const count = Math.floor(room / entryBytes.length);
      expect(result).toBe(count * entryBytes.length);
      expect(bytes.equals(Buffer.concat(Array.from({ length: count }, () => entryBytes)))).toBe(true);
    }
  });

  it('takes a shorter entry where a longer one did not fit', () => {
    const writer = new DirectoryWriter(Buffer.alloc(entryBytes.length));
    expect(writer.append({ ...entry, name: Buffer.from('abc') })).toBe(false);
    expect(writer.length).toBe(0);
    expect(writer.append(entry)).toBe(true);
  });

  it.each([
    ['9P2000', plainRecord, plainRecordBytes],
    ['9P2000.u', extendedRecord, extendedRecordBytes],
  ])('of %s is read in whole records', (_, record, expected) => {
    for (const [room, fits] of [
      [expected.length - 1, false],
      [expected.length, true],
    ] as const) {
      const { bytes } = guarded(room, (into) => {
        const writer = new DirectoryWriter(into);
        expect(writer.appendStat(record)).toBe(fits);
        return writer.length;
      });
      expect(bytes.equals(fits ? expected : Buffer.alloc(0))).toBe(true);
    }
  });
});
