/**
 * The bytes of every kind of request and reply, over the real socket. Everything here is written out by hand from the
 * protocol's table, for a little-endian machine; the builder the other tests use is held against it as well.
 */
import { closeSync, constants, lstatSync, openSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Session, startSession, whyNotRoot } from '../../harness/helper-process.js';
import { inodeGeneration } from '../../harness/libc.js';
import { requests, requestTypes } from '../../harness/requests.js';
import { makeExport, removeTree } from '../../harness/tree.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`golden bytes skipped: ${skipped}`);

const hex = (text: string): string => text.replaceAll(/\s/g, '');

const OK = '00000000 04000000 00000000';
const DESCRIPTOR = 'ffffff7f';

/** What is sent, how the builder says the same, and what comes back; in this order, each building on those before. */
const exchanges: readonly (readonly [name: string, request: string, built: Buffer, reply: string])[] = [
  [
    'MKDIR /d 0750 for 1000:1001',
    '05000000 10000000 e8030000 e9030000 0200 2f64 e8010000',
    requests.mkdir({ uid: 1000, gid: 1001 }, '/d', 0o750),
    OK,
  ],
  [
    'MKDIR again: EEXIST',
    '05000000 10000000 e8030000 e9030000 0200 2f64 e8010000',
    requests.mkdir({ uid: 1000, gid: 1001 }, '/d', 0o750),
    '01000000 04000000 efffffff',
  ],
  [
    'CREATE //d/f for reading and writing, exclusively',
    '03000000 17000000 0500 2f2f642f66 c2800000 a4010000 e8030000 e9030000',
    requests.create('//d/f', 0x80c2, 0o644, { uid: 1000, gid: 1001 }),
    DESCRIPTOR,
  ],
  [
    'CREATE again: EEXIST, without a header',
    '03000000 17000000 0500 2f2f642f66 c2800000 a4010000 e8030000 e9030000',
    requests.create('//d/f', 0x80c2, 0o644, { uid: 1000, gid: 1001 }),
    'efffffff',
  ],
  ['OPEN of the directory', '02000000 08000000 0200 2f64 00000100', requests.open('/d', 0x10000), DESCRIPTOR],
  ['OPEN of nothing: ENOENT', '02000000 08000000 0200 2f78 00000000', requests.open('/x', 0), 'feffffff'],
  [
    'MKNOD of a fifo',
    '04000000 18000000 00000000 00000000 0200 2f70 a4110000 0000000000000000',
    requests.mknod({ uid: 0, gid: 0 }, '/p', 0o10644, 0),
    OK,
  ],
  [
    'MKNOD of the character device 1:3',
    '04000000 18000000 00000000 00000000 0200 2f6e b6210000 0301000000000000',
    requests.mknod({ uid: 0, gid: 0 }, '/n', 0o20666, 0x103),
    OK,
  ],
  [
    'SYMLINK /s to fffe',
    '06000000 10000000 e8030000 e9030000 0200 fffe 0200 2f73',
    requests.symlink({ uid: 1000, gid: 1001 }, Buffer.of(0xff, 0xfe), '/s'),
    OK,
  ],
  [
    'READLINK',
    '09000000 08000000 0200 2f73 00100000',
    requests.readlink('/s', 4096),
    '00000000 04000000 0200 fffe',
  ],
  [
    'READLINK of a directory: EINVAL',
    '09000000 08000000 0200 2f64 00100000',
    requests.readlink('/d', 4096),
    '01000000 04000000 eaffffff',
  ],
  ['LINK', '07000000 0a000000 0400 2f642f66 0200 2f6c', requests.link('/d/f', '/l'), OK],
  ['CHMOD to 04711', '0b000000 08000000 0200 2f6c c9090000', requests.chmod('/l', 0o4711), OK],
  [
    'CHOWN of the group alone',
    '0c000000 0c000000 0200 2f6c ffffffff f4010000',
    requests.chown('/l', { uid: -1, gid: 500 }),
    OK,
  ],
  [
    'TRUNCATE to 2^33 + 1',
    '0d000000 0c000000 0200 2f6c 0100000002000000',
    requests.truncate('/l', 2n ** 33n + 1n),
    OK,
  ],
  [
    'TRUNCATE to -1: EINVAL',
    '0d000000 0c000000 0200 2f6c ffffffffffffffff',
    requests.truncate('/l', -1),
    '01000000 04000000 eaffffff',
  ],
  [
    'UTIME to 1 s 2 ns and -3 s 999,999,999 ns',
    '0e000000 24000000 0200 2f6c 0100000000000000 0200000000000000 fdffffffffffffff ffc99a3b00000000',
    requests.utime('/l', [1n, 2n], [-3n, 999_999_999n]),
    OK,
  ],
  ['RENAME', '0f000000 08000000 0200 2f6c 0200 2f6d', requests.rename('/l', '/m'), OK],
  [
    'LSETXATTR user.a = 00ff',
    '13000000 18000000 0200 2f6d 0600 757365722e61 0200 00ff 02000000 00000000',
    requests.lsetxattr('/m', 'user.a', Buffer.of(0, 0xff)),
    OK,
  ],
  [
    'LGETXATTR with room',
    '11000000 10000000 40000000 0200 2f6d 0600 757365722e61',
    requests.lgetxattr(64, '/m', 'user.a'),
    '00000000 04000000 0200 00ff',
  ],
  [
    'LGETXATTR for the size',
    '11000000 10000000 00000000 0200 2f6d 0600 757365722e61',
    requests.lgetxattr(0, '/m', 'user.a'),
    '00000000 04000000 02000000',
  ],
  [
    'LGETXATTR with too little room: ERANGE',
    '11000000 10000000 01000000 0200 2f6d 0600 757365722e61',
    requests.lgetxattr(1, '/m', 'user.a'),
    '01000000 04000000 deffffff',
  ],
  [
    'LLISTXATTR with room',
    '12000000 08000000 40000000 0200 2f6d',
    requests.llistxattr(64, '/m'),
    '00000000 09000000 0700 757365722e61 00',
  ],
  [
    'LLISTXATTR for the size',
    '12000000 08000000 00000000 0200 2f6d',
    requests.llistxattr(0, '/m'),
    '00000000 04000000 07000000',
  ],
  [
    'LREMOVEXATTR',
    '14000000 0c000000 0200 2f6d 0600 757365722e61',
    requests.lremovexattr('/m', 'user.a'),
    OK,
  ],
  [
    'LREMOVEXATTR again: ENODATA',
    '14000000 0c000000 0200 2f6d 0600 757365722e61',
    requests.lremovexattr('/m', 'user.a'),
    '01000000 04000000 c3ffffff',
  ],
  ['REMOVE of a file', '10000000 04000000 0200 2f70', requests.remove('/p'), OK],
  [
    'REMOVE of a directory that is not empty: ENOTEMPTY',
    '10000000 04000000 0200 2f64',
    requests.remove('/d'),
    '01000000 04000000 d9ffffff',
  ],
  [
    'LSTAT of nothing: ENOENT',
    '08000000 04000000 0200 2f78',
    requests.lstat('/x'),
    '01000000 04000000 feffffff',
  ],
  [
    'STATFS of nothing: ENOENT',
    '0a000000 04000000 0200 2f78',
    requests.statfs('/x'),
    '01000000 04000000 feffffff',
  ],
  [
    'GETVERSION of nothing: ENOENT',
    '15000000 04000000 0200 2f78',
    requests.getversion('/x'),
    '01000000 04000000 feffffff',
  ],
  [
    'LSTAT of an empty payload: ENOBUFS',
    '08000000 00000000',
    Buffer.from('0800000000000000', 'hex'),
    '01000000 04000000 97ffffff',
  ],
  [
    'OPEN of an empty payload: ENOBUFS',
    '02000000 00000000',
    Buffer.from('0200000000000000', 'hex'),
    '97ffffff',
  ],
];

describe.skipIf(skipped !== undefined)('the bytes on the wire', () => {
  let root: string;
  let session: Session;

  beforeAll(() => {
    root = makeExport();
    session = startSession(root);
  });

  afterAll(async () => {
    session.client.close();
    await session.helper.stop();
    removeTree(root);
  });

  const exchange = (request: string, built: Buffer): string => {
    const bytes = Buffer.from(hex(request), 'hex');
    expect(built.toString('hex')).toBe(bytes.toString('hex'));
    const reply = session.client.request(bytes);
    if (reply.descriptor !== undefined) closeSync(reply.descriptor);
    return reply.bytes.toString('hex');
  };

  it('covers every type of request', () => {
    const types = new Set(exchanges.map(([, request]) => Number.parseInt(request.slice(0, 2), 16)));
    expect([...types].sort((a, b) => a - b)).toEqual(Object.values(requestTypes));
  });

  it.each(exchanges)('%s', (_name, request, built, reply) => {
    expect(exchange(request, built)).toBe(hex(reply));
  });

  const q = (value: bigint): string => {
    const field = Buffer.alloc(8);
    field.writeBigInt64LE(value);
    return field.toString('hex');
  };

  it('LSTAT of a file, whose set-uid bit the change of owner took', () => {
    const stat = lstatSync(join(root, 'm'), { bigint: true });
    expect(exchange('08000000 04000000 0200 2f6d', requests.lstat('/m'))).toBe(
      hex(`00000000 74000000
        ${q(stat.dev)} ${q(stat.ino)} 0200000000000000
        c9810000 e8030000 f4010000
        0000000000000000 0100000002000000 ${q(stat.blksize)} ${q(stat.blocks)}
        0100000000000000 0200000000000000 fdffffffffffffff ffc99a3b00000000
        ${q(stat.ctimeNs / 1_000_000_000n)} ${q(stat.ctimeNs % 1_000_000_000n)}`),
    );
  });

  it('LSTAT of a device', () => {
    const reply = session.client.request(requests.lstat('/n'));
    expect(reply.payload.toString('hex', 24, 44)).toBe(hex('b6210000 00000000 00000000 0301000000000000'));
  });

  it('STATFS', () => {
    const reply = session.client.request(Buffer.from(hex('0a000000 03000000 0100 2f'), 'hex'));
    const { type, bsize, blocks, files } = statfsSync(root, { bigint: true });
    expect(reply.bytes.toString('hex', 0, 8)).toBe(hex('00000000 58000000'));
    const words = Array.from({ length: 11 }, (_, index) => reply.payload.readBigInt64LE(index * 8));
    expect([words[0], words[1], words[2], words[5]]).toEqual([type, bsize, blocks, files]);
    // The free ones change under us, the file system's id is nobody's business; the longest name is 255 everywhere.
    expect(words[3]).toBeGreaterThanOrEqual(words[4]!);
    expect(words[6]).toBeLessThanOrEqual(files);
    expect([words[9], words[10]]).toEqual([255n, bsize]);
  });

  it('GETVERSION: the generation, and an upper half of zero', () => {
    const fd = openSync(join(root, 'm'), constants.O_RDONLY);
    const generation = inodeGeneration(fd) ?? 0;
    closeSync(fd);
    expect(exchange('15000000 04000000 0200 2f6d', requests.getversion('/m'))).toBe(
      hex(`00000000 08000000 ${q(BigInt(generation))}`),
    );
  });

  it('an OPEN reply carries the file', () => {
    writeFileSync(join(root, 'text'), 'hello');
    const { descriptor } = session.client.request(requests.open('/text', 0x8000));
    expect(readFileSync(descriptor!, 'utf8')).toBe('hello');
    closeSync(descriptor!);
  });
});

// On tmpfs there is no generation: the reference answers 0 without looking, and so for a path that does not exist.
describe.skipIf(skipped !== undefined)('on a file system without generations', () => {
  it('GETVERSION answers 0', async () => {
    const root = makeExport('/dev/shm');
    const { client, helper } = startSession(root);
    try {
      expect(client.request(requests.getversion('/')).bytes.toString('hex')).toBe(
        hex('00000000 08000000 0000000000000000'),
      );
    } finally {
      client.close();
      await helper.stop();
      removeTree(root);
    }
  });
});
