import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { decodeRequest } from '../../../src/server/p9/decode.js';
import { type Dialect, messages } from '../../../src/server/p9/messages.js';
import { Random } from '../../../harness/random.js';
import { countFrom } from '../../../harness/root-only.js';
import { frames, requests, TAG } from './golden-requests.js';
import { cut, extended, message, str, u16, u32, u64, u8 } from './wire.js';

const { EINVAL, ENAMETOOLONG, ENOENT, EOPNOTSUPP, ERANGE } = constants.errno;
const dialects: readonly Dialect[] = ['9P2000.L', '9P2000.u', '9P2000'];
const malformed = { malformed: expect.any(String) as string };
const refused = (errno: number) => ({ type: 'refused', tag: TAG, errno });

/** Buffers and arrays of bytes alike as hex. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
}

/** All bytes that a request has, however deep. */
function byteFields(value: unknown): Uint8Array[] {
  if (value instanceof Uint8Array) return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(byteFields) : [];
}

describe('a request', () => {
  it.each(frames)('$type of $dialect is what its bytes say', ({ dialect, frame, request }) => {
    const decoded = decodeRequest(frame, dialect);
    expect(plain(decoded)).toEqual(plain(request));
    expect(Object.keys(decoded)).toEqual(Object.keys(request));
  });

  it.each(frames)('$type of $dialect is malformed at every shorter length', ({ type, dialect, frame }) => {
    // without its last field, as old clients send it
    const isShorterForm = (length: number) => type === 'Tfsync' && length === frame.length - 4;
    for (let length = 0; length < frame.length; length++) {
      if (isShorterForm(length)) continue;
      expect(decodeRequest(cut(frame, length), dialect), `${length} bytes`).toEqual(malformed);
    }
  });

  it.each(frames)('$type of $dialect is malformed under another size', ({ dialect, frame }) => {
    for (const size of [0, 4, 6, 7, frame.length - 1, frame.length + 1, 0xffffffff]) {
      if (size === frame.length) continue;
      const other = Buffer.from(frame);
      other.writeUInt32LE(size);
      expect(decodeRequest(other, dialect), `size ${size}`).toEqual(malformed);
    }
  });

  it.each(frames)('$type of $dialect is malformed with bytes after its last field', ({ dialect, frame }) => {
    for (const more of [u8(0), u32(0), Buffer.alloc(100)]) {
      expect(decodeRequest(extended(frame, more), dialect)).toEqual(malformed);
    }
  });

  it.each(frames)('$type of $dialect reads nothing outside its frame', ({ dialect, frame, request }) => {
    const surrounded = Buffer.concat([Buffer.alloc(64, 0xa5), frame, Buffer.alloc(64, 0xa5)]);
    const inside = surrounded.subarray(64, 64 + frame.length);
    const decoded = decodeRequest(inside, dialect);
    expect(plain(decoded)).toEqual(plain(request));
    for (const field of byteFields(decoded)) {
      if (field.length > 0) expect(field.buffer).toBe(surrounded.buffer);
    }
  });

  it('of another dialect is answered, and is not the end', () => {
    for (const { type, frame } of frames) {
      for (const dialect of dialects) {
        if (requests[type].in[dialect]) continue;
        expect(decodeRequest(frame, dialect), `${type} ${dialect}`).toEqual(refused(EOPNOTSUPP));
      }
    }
  });

  it('of a number that no dialect has is answered, and is not the end', () => {
    const known = new Set(Object.values(requests).map(({ number }) => number));
    for (let number = 0; number < 256; number++) {
      if (known.has(number)) continue;
      expect(decodeRequest(message(number, TAG, u32(1)), '9P2000.L')).toEqual(refused(EOPNOTSUPP));
    }
  });

  it('before Tversion is the end', () => {
    for (const { type, frame } of frames) {
      const decoded = decodeRequest(frame, undefined);
      if (type === 'Tversion') expect(decoded).toMatchObject({ type });
      else expect(decoded, type).toEqual(malformed);
    }
  });

  it('Tfsync of an old client has no datasync', () => {
    expect(decodeRequest(message(50, TAG, u32(1)), '9P2000.L')).toEqual({
      type: 'Tfsync',
      tag: TAG,
      fid: 1,
      datasync: 0,
    });
  });

  it('may lack the data at its end, and nothing else', () => {
    const write = (count: number, data: Buffer) => {
      const frame = Buffer.from(message(118, TAG, u32(1), u64(5), u32(count), data));
      return (absent: number) => {
        frame.writeUInt32LE(frame.length + absent);
        return decodeRequest(frame, '9P2000.L', absent);
      };
    };
    const decoded = write(100, Buffer.alloc(0))(100);
    expect(plain(decoded)).toEqual({ type: 'Twrite', tag: TAG, fid: 1, offset: 5, data: '' });
    for (const count of [0, 50, 99, 101, 0xffff_ffff]) {
      expect(write(count, Buffer.alloc(0))(100), `${count}`).toEqual(malformed);
      expect(write(count, Buffer.alloc(50))(100), `${count} of 50`).toEqual(malformed);
    }
    const clunk = Buffer.from(message(120, TAG, u32(1)));
    clunk.writeUInt32LE(clunk.length + 4);
    expect(decodeRequest(clunk, '9P2000.L', 4)).toEqual(malformed);
  });

  it('has no number twice', () => {
    const numbers = Object.values(messages).map(({ number }) => number);
    expect(new Set(numbers).size).toBe(numbers.length);
  });
});

describe('numbers of 64 bits', () => {
  const offset = (value: number | bigint) => {
    const decoded = decodeRequest(message(116, TAG, u32(1), u64(value), u32(0)), '9P2000.L');
    return 'offset' in decoded ? decoded.offset : undefined;
  };
  it.each([
    [0n, 0],
    [0xffff_ffffn, 0xffff_ffff],
    [2n ** 53n - 1n, Number.MAX_SAFE_INTEGER],
    [2n ** 53n, 2n ** 53n],
    [2n ** 53n + 1n, 2n ** 53n + 1n],
    [2n ** 63n, 2n ** 63n],
    [2n ** 64n - 1n, 2n ** 64n - 1n],
  ])('%s are exact', (wire, value) => {
    expect(offset(wire)).toBe(value);
  });
});

describe('a name', () => {
  const long = 'n'.repeat(255);
  const bad: readonly (readonly [string, string, number])[] = [
    ['empty', '', ENOENT],
    ['.', '.', EINVAL],
    ['..', '..', EINVAL],
    ['a slash', 'a/b', EINVAL],
    ['only a slash', '/', EINVAL],
    ['a NUL', 'a\0', EINVAL],
    ['256 bytes', `${long}n`, ENAMETOOLONG],
    ['the longest', 'n'.repeat(65_535), ENAMETOOLONG],
  ];
  const withName: Readonly<Record<string, (name: Buffer) => Buffer>> = {
    Tlcreate: (name) => message(14, TAG, u32(1), name, u32(0), u32(0), u32(0)),
    Tsymlink: (name) => message(16, TAG, u32(1), name, str('t'), u32(0)),
    Tmknod: (name) => message(18, TAG, u32(1), name, ...[1, 2, 3, 4].map(u32)),
    Trename: (name) => message(20, TAG, u32(1), u32(1), name),
    Tlink: (name) => message(70, TAG, u32(1), u32(1), name),
    Tmkdir: (name) => message(72, TAG, u32(1), name, u32(0), u32(0)),
    'Trenameat (old)': (name) => message(74, TAG, u32(1), name, u32(2), str('x')),
    'Trenameat (new)': (name) => message(74, TAG, u32(1), str('x'), u32(2), name),
    Tunlinkat: (name) => message(76, TAG, u32(1), name, u32(0)),
  };

  describe.each(Object.keys(withName))('of %s', (type) => {
    const frame = withName[type]!;
    it.each(bad)('that is or has %s is refused', (_, name, errno) => {
      expect(decodeRequest(frame(str(name)), '9P2000.L')).toEqual(refused(errno));
    });
    it.each([long, '...', '.a', '..a', 'a.', '\n', '\\'])('%j is fine', (name) => {
      expect(decodeRequest(frame(str(name)), '9P2000.L')).not.toMatchObject({ type: 'refused' });
    });
  });

  it.each(bad)('of Tcreate that is or has %s is refused', (_, name, errno) => {
    const frame = message(114, TAG, u32(1), str(name), u32(0), u8(0));
    expect(decodeRequest(frame, '9P2000')).toEqual(refused(errno));
  });

  it.each(bad)('of Twalk that is or has %s is refused, but for . and ..', (_, name, errno) => {
    const decoded = decodeRequest(message(110, TAG, u32(1), u32(2), u16(2), str('a'), str(name)), '9P2000.L');
    if (name === '.' || name === '..') expect(decoded).toMatchObject({ type: 'Twalk' });
    else expect(decoded).toEqual(refused(errno));
  });

  it.each([
    ['', ENOENT],
    ['a\0b', EINVAL],
    ['t'.repeat(4096), ENAMETOOLONG],
  ])('that a symbolic link cannot lead to is refused', (target, errno) => {
    const frame = message(16, TAG, u32(1), str('n'), str(target), u32(0));
    expect(decodeRequest(frame, '9P2000.L')).toEqual(refused(errno));
  });

  it.each([
    ['user.a\0', EINVAL],
    [`user.${'a'.repeat(251)}`, ERANGE],
  ])('that no attribute has is refused', (name, errno) => {
    expect(decodeRequest(message(30, TAG, u32(1), u32(2), str(name)), '9P2000.L')).toEqual(refused(errno));
    const frame = message(32, TAG, u32(1), str(name), u64(1), u32(0));
    expect(decodeRequest(frame, '9P2000.L')).toEqual(refused(errno));
  });
});

describe('Twalk', () => {
  const walk = (count: number, names: number) =>
    message(110, TAG, u32(1), u32(2), u16(count), ...Array.from({ length: names }, () => str('a')));

  it.each([0, 16])('of %i names is fine', (count) => {
    const decoded = decodeRequest(walk(count, count), '9P2000.L');
    expect('names' in decoded && decoded.names.length).toBe(count);
  });
  it('of more than 16 names is refused', () => {
    expect(decodeRequest(walk(17, 17), '9P2000.L')).toEqual(refused(EINVAL));
    expect(decodeRequest(walk(65_535, 65_535), '9P2000.L')).toEqual(refused(EINVAL));
  });
  it('is malformed when it has fewer names than it says', () => {
    expect(decodeRequest(walk(2, 1), '9P2000.L')).toEqual(malformed);
    expect(decodeRequest(walk(65_535, 16), '9P2000.L')).toEqual(malformed);
  });
});

describe('any bytes', () => {
  const count = countFrom('VIRTFS_FUZZ_9P', 100_000);

  /** A frame that is nearly right. */
  function mutated(random: Random): Buffer {
    let frame: Buffer = Buffer.from(random.pick(frames).frame);
    for (let times = random.below(4); times >= 0; times--) {
      if (frame.length < 8) break;
      const at = 4 + random.below(frame.length - 4);
      const kind = random.below(4);
      if (kind === 0) frame[at] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
      else if (kind === 1) frame = cut(frame, at);
      else if (kind === 2) frame = extended(frame, random.bytes(random.below(40)));
      else frame.fill(0xff, at, Math.min(frame.length, at + 1 + random.below(8)));
    }
    return frame;
  }

  it('are decoded, refused or malformed, and never throw', () => {
    const random = new Random(countFrom('VIRTFS_FUZZ_SEED', 1));
    const outcomes = { decoded: 0, refused: 0, malformed: 0 };
    for (let index = 0; index < count; index++) {
      const noise = random.bytes(random.below(64));
      const frame = random.chance(0.9) ? mutated(random) : cut(noise, noise.length);
      const before = Buffer.from(frame);
      const decoded = decodeRequest(frame, random.pick(dialects));
      if (!frame.equals(before)) throw new Error(`decoding changed ${before.toString('hex')}`);
      if ('malformed' in decoded) {
        outcomes.malformed++;
      } else if (decoded.type === 'refused') {
        outcomes.refused++;
      } else {
        outcomes.decoded++;
        const length = byteFields(decoded).reduce((sum, field) => sum + field.length, 0);
        if (length > frame.length) throw new Error(`more bytes than ${before.toString('hex')}`);
      }
    }
    expect(Math.min(...Object.values(outcomes))).toBeGreaterThan(count / 100);
  });
});
