import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { Frame, MAX_FRAME_BYTES } from '../../src/proxy-protocol/frame.js';
import { encodeReply, layoutOf, payloads } from '../../src/proxy-protocol/replies.js';
import { type AnyReply, type Found, ReplyDecoder } from '../../src/proxy-protocol/reply-decoder.js';
import { type RequestName, requests } from '../../src/proxy-protocol/requests.js';
import { frame, int64, string, uint16, uint32 } from './golden-frames.js';

const { ENOENT } = constants.errno;
const names = Object.keys(requests) as RequestName[];
const ASKED = 300;
const FOLLOWS = 0x7fffffff;

/** Every reply by hand, and what must come out of it. */
const lstat = {
  bytes: frame(
    0,
    ...[0xfd01n, 2n ** 64n - 1n, 3n].map(int64U),
    ...[0o100644, 1000, 0xfffffffe].map(uint32),
    ...[0x501n, 2n ** 62n, 4096n, 2n ** 53n].map(int64U),
    ...[-1n, 999_999_999n, 1n, 2n, 5_000_000_000n, 0n].map(int64),
  ),
  value: {
    device: 0xfd01,
    inode: 2n ** 64n - 1n,
    links: 3,
    mode: 0o100644,
    uid: 1000,
    gid: 0xfffffffe,
    rdev: 0x501,
    size: 2n ** 62n,
    blockSize: 4096,
    blocks: 2n ** 53n,
    atime: { seconds: -1, nanoseconds: 999_999_999 },
    mtime: { seconds: 1, nanoseconds: 2 },
    ctime: { seconds: 5_000_000_000, nanoseconds: 0 },
  },
};
const statfs = {
  bytes: frame(
    0,
    ...[0x9123683en, 1n, 2n, 3n, 4n, 2n ** 64n - 1n, 6n].map(int64U),
    int64(-7n),
    int64(8n),
    int64(9n),
    int64(10n),
  ),
  value: {
    type: 0x9123683e,
    blockSize: 1,
    blocks: 2,
    freeBlocks: 3,
    availableBlocks: 4,
    files: 2n ** 64n - 1n,
    freeFiles: 6,
    fsid0: -7,
    fsid1: 8,
    nameLength: 9,
    fragmentSize: 10,
  },
};
const value = { bytes: frame(0, string(Buffer.from([0, 1, 255]))), value: new Uint8Array([0, 1, 255]) };

function int64U(number: bigint): Buffer {
  return int64(BigInt.asIntN(64, number));
}

const strings: readonly RequestName[] = ['readlink', 'lgetxattr', 'llistxattr'];

const golden = (name: RequestName): { bytes: Buffer; value: AnyReply } => {
  if (name === 'lstat') return lstat;
  if (name === 'statfs') return statfs;
  if (name === 'getversion') return { bytes: frame(0, int64(0xffffffffn)), value: 0xffffffffn };
  if (strings.includes(name)) return value;
  return requests[name].reply === 'descriptor'
    ? { bytes: uint32(FOLLOWS), value: FOLLOWS }
    : { bytes: frame(0, uint32(0)), value: 0 };
};

const failure = (name: RequestName, errno: number): Buffer =>
  requests[name].reply === 'descriptor' ? uint32(-errno) : frame(1, uint32(-errno));

/** Decodes bytes that come behind others, with something else behind them. */
function decoded(
  name: RequestName,
  bytes: Buffer,
  { asked = ASKED, at = 0 } = {},
): { found: Found; value: AnyReply; bytes: number } {
  const memory = new Uint8Array(2 * MAX_FRAME_BYTES + 8).fill(0x55);
  memory.set(bytes, at);
  const decoder = new ReplyDecoder(new Frame(memory));
  const found = decoder.decode(name, asked, at, at + bytes.length);
  return { found, value: decoder.value, bytes: decoder.bytes };
}

describe('the reply decoder', () => {
  it.each(names)('reads the reply to %s, wherever it begins', (name) => {
    const { bytes, value } = golden(name);
    for (const at of [0, 1, 2, 7]) {
      expect(decoded(name, bytes, { at })).toEqual({ found: 'reply', value, bytes: bytes.length });
    }
  });

  it.each(names)('waits for the rest of a reply to %s that is cut at any byte', (name) => {
    const { bytes } = golden(name);
    for (let length = 0; length < bytes.length; length++) {
      expect(decoded(name, bytes.subarray(0, length)).found).toBe('incomplete');
    }
  });

  it.each(names)('reads an error as the answer to %s', (name) => {
    for (const errno of [1, ENOENT, 4095]) {
      const bytes = failure(name, errno);
      expect(decoded(name, bytes)).toEqual({ found: 'reply', value: -errno, bytes: bytes.length });
    }
  });

  it.each(names)('refuses what is no error number in an answer to %s', (name) => {
    for (const number of [0, -1, 4096, 0x80000000, -0x7ffffffe]) {
      expect(decoded(name, failure(name, number)).found).toBe('malformed');
    }
  });

  const withHeader = names.filter((name) => requests[name].reply !== 'descriptor');

  it.each(withHeader)('refuses a reply to %s of another type or size', (name) => {
    const { bytes } = golden(name);
    const payload = bytes.subarray(8);
    expect(decoded(name, frame(2, payload)).found).toBe('malformed');
    expect(decoded(name, frame(0, payload, Buffer.alloc(1))).found).toBe('malformed');
    expect(decoded(name, frame(0, payload.subarray(1))).found).toBe('malformed');
    expect(decoded(name, frame(0)).found).toBe('malformed');
    expect(decoded(name, frame(1)).found).toBe('malformed');
    expect(decoded(name, frame(1, uint32(-ENOENT), uint32(0))).found).toBe('malformed');
    // before all of it is there
    for (const size of [65_537, 0x7fffffff, 0x80000000, -1]) {
      expect(decoded(name, Buffer.concat([uint32(0), uint32(size)])).found).toBe('malformed');
    }
  });

  it('refuses a status that is neither success nor an error', () => {
    expect(decoded('chmod', frame(0, uint32(1))).found).toBe('malformed');
    expect(decoded('chmod', frame(0, uint32(-ENOENT))).found).toBe('malformed');
  });

  it('takes the length of a value, which nobody asked for, in 32 bits', () => {
    for (const name of ['lgetxattr', 'llistxattr'] as const) {
      const length = { found: 'reply', value: 70_000, bytes: 12 };
      expect(decoded(name, frame(0, uint32(70_000)), { asked: 0 })).toEqual(length);
      expect(decoded(name, frame(0, uint32(-1)), { asked: 0 }).found).toBe('malformed');
      expect(decoded(name, frame(0, string(Buffer.alloc(9))), { asked: 0 }).found).toBe('malformed');
    }
  });

  it('refuses a string that is longer than asked for, or than its reply', () => {
    for (const name of ['readlink', 'lgetxattr', 'llistxattr'] as const) {
      const bytes = frame(0, string(Buffer.alloc(10)));
      expect(decoded(name, bytes, { asked: 10 }).found).toBe('reply');
      expect(decoded(name, bytes, { asked: 9 }).found).toBe('malformed');
      expect(decoded(name, frame(0, uint16(11), Buffer.alloc(10))).found).toBe('malformed');
      expect(decoded(name, frame(0, uint16(9), Buffer.alloc(10))).found).toBe('malformed');
    }
  });

  it('gives strings that stay when the next reply comes', () => {
    const memory = new Uint8Array(100);
    memory.set(value.bytes);
    const decoder = new ReplyDecoder(new Frame(memory));
    decoder.decode('readlink', ASKED, 0, 100);
    memory.fill(0);
    expect(decoder.value).toEqual(new Uint8Array([0, 1, 255]));
  });
});

describe('what the helper makes', () => {
  it.each(['lstat', 'statfs'] as const)('of %s has its fields where the client looks for them', (name) => {
    const { bytes, words } = layoutOf<Record<string, 'uint32'>>(payloads[name] as never);
    const reply = new Frame(new Uint8Array(1024));
    Object.values(words).forEach((word, index) => (reply.words[word] = index + 1));
    const length = encodeReply(reply, 'payload', bytes);
    const { found, value } = decoded(name, Buffer.from(reply.bytes.subarray(0, length)));
    expect(found).toBe('reply');
    const numbers = Object.values(value).map((field: number | { seconds: number }) =>
      typeof field === 'object' ? field.seconds : field,
    );
    expect(numbers).toEqual(Object.keys(words).map((_, index) => index + 1));
  });

  it('as a status, an error or a descriptor is what the client reads', () => {
    const reply = new Frame(new Uint8Array(1024));
    const sent = (name: RequestName, result: number): AnyReply => {
      const length = encodeReply(reply, requests[name].reply, result);
      return decoded(name, Buffer.from(reply.bytes.subarray(0, length))).value;
    };
    expect(sent('mkdir', 0)).toBe(0);
    expect(sent('mkdir', -ENOENT)).toBe(-ENOENT);
    expect(sent('lstat', -ENOENT)).toBe(-ENOENT);
    expect(sent('open', -ENOENT)).toBe(-ENOENT);
  });
});
