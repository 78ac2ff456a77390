/**
 * Random damage to frames: whatever comes, the helper answers or ends the session with status 3. It does not crash, does
 * not hang, sends no reply longer than asked, and touches nothing outside the export.
 */
import { closeSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Random } from '../../harness/random.js';
import { type Session, startSession, whyNotRoot } from '../../harness/helper-process.js';
import { type RequestName, requestNames, requests, requestTypes } from '../../harness/requests.js';
import { compareSnapshots, exportForTest, snapshot } from '../../harness/tree.js';
import { type Reply, WireError } from '../../harness/wire-client.js';
import { errorLines } from './error-lines.js';

const skipped = whyNotRoot();

const FRAMES = 20_000;
const SEED = 1;
const owner = { uid: 1000, gid: 1000 };

/** Good requests on a few names, for damaging. */
function wellFormed(random: Random): Buffer {
  const path = random.pick(['/', '/f', '/d', '/d/f', '/l', '/new', '/../x', '/d/../f', '/f/']);
  const other = random.pick(['/g', '/d/g', '/l', '/d']);
  const number = random.pick([0, 1, 4096, 65_535, 65_536, 0x7fff_ffff, -1]);
  const all: Record<RequestName, () => Buffer> = {
    OPEN: () => requests.open(path, number),
    CREATE: () => requests.create(path, number, 0o644, owner),
    MKNOD: () => requests.mknod(owner, path, 0o10644, number),
    MKDIR: () => requests.mkdir(owner, path, 0o755),
    SYMLINK: () => requests.symlink(owner, other, path),
    LINK: () => requests.link(path, other),
    LSTAT: () => requests.lstat(path),
    READLINK: () => requests.readlink(path, number),
    STATFS: () => requests.statfs(path),
    CHMOD: () => requests.chmod(path, number),
    CHOWN: () => requests.chown(path, { uid: number, gid: number }),
    TRUNCATE: () => requests.truncate(path, number),
    UTIME: () => requests.utime(path, [BigInt(number), BigInt(number)], [0n, 0n]),
    RENAME: () => requests.rename(path, other),
    REMOVE: () => requests.remove(path),
    LGETXATTR: () => requests.lgetxattr(number, path, 'user.a'),
    LLISTXATTR: () => requests.llistxattr(number, path),
    LSETXATTR: () => requests.lsetxattr(path, 'user.a', 'value', 0, random.chance(0.5) ? 5 : number),
    LREMOVEXATTR: () => requests.lremovexattr(path, 'user.a'),
    GETVERSION: () => requests.getversion(path),
  };
  return all[random.pick(requestNames)]();
}

/** Flips, cuts, swells or replaces bytes of the payload; the header's size stays true, so that the stream goes on. */
function damaged(random: Random): Buffer {
  const bytes = Buffer.from(wellFormed(random));
  for (let flips = random.below(4); flips > 0; flips--) {
    if (bytes.length > 8)
      bytes[8 + random.below(bytes.length - 8)] = random.pick([0, 1, 0xff, 0x2f, random.below(256)]);
  }
  const payload = bytes.subarray(8);
  const kept = random.chance(0.2) ? payload.subarray(0, random.below(payload.length + 1)) : payload;
  const tail = random.chance(0.1) ? random.bytes(random.below(2_000)) : Buffer.alloc(0);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(kept.length + tail.length);
  return Buffer.concat([bytes.subarray(0, 4), size, kept, tail]);
}

/** The longest payload a request may be answered with. */
function longestAnswer(bytes: Buffer): number {
  switch (bytes.readUInt32LE(0)) {
    case requestTypes.LSTAT:
      return 116;
    case requestTypes.STATFS:
      return 88;
    case requestTypes.GETVERSION:
      return 8;
    case requestTypes.LGETXATTR:
    case requestTypes.LLISTXATTR:
      return bytes.length < 12 ? 4 : Math.max(4, 2 + Math.max(0, bytes.readInt32LE(8)));
    case requestTypes.READLINK: {
      const sizeAt = bytes.length < 10 ? bytes.length : 10 + bytes.readUInt16LE(8);
      // The client adds a NUL in a buffer of the size it asks with.
      return sizeAt + 4 > bytes.length ? 4 : Math.max(4, 2 + bytes.readInt32LE(sizeAt) - 1);
    }
    default:
      return 4;
  }
}

describe.skipIf(skipped !== undefined)('damaged frames', () => {
  function begin(): Session & { host: string } {
    const host = exportForTest();
    writeFileSync(join(host, 'precious'), 'outside');
    mkdirSync(join(host, 'export/d'), { recursive: true });
    const session = startSession(join(host, 'export'));
    onTestFinished(async () => {
      session.client.close();
      await session.helper.stop();
    });
    return { host, ...session };
  }

  it(`are answered, ${FRAMES} of them`, { timeout: 120_000 }, async () => {
    const { client, helper, host } = begin();
    const random = new Random(SEED);
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    const descriptors = readdirSync(`/proc/${helper.pid}/fd`).length;
    const answers = new Map<string, number>();
    for (let index = 0; index < FRAMES; index++) {
      const bytes = damaged(random);
      const where = `frame ${index} of seed ${SEED}: ${bytes.toString('hex', 0, 200)}`;
      let reply: Reply;
      try {
        reply = client.request(bytes);
      } catch (error) {
        throw new Error(`${where}: ${String(error)}; stderr: ${helper.stderr().slice(-1_000)}`, {
          cause: error,
        });
      }
      if (reply.descriptor !== undefined) closeSync(reply.descriptor);
      if (reply.payload.length > longestAnswer(bytes)) {
        throw new Error(`${where}: a reply of ${reply.payload.length} bytes, longer than asked`);
      }
      const kind = reply.errno === 0 ? 'success' : 'refused';
      answers.set(kind, (answers.get(kind) ?? 0) + 1);
    }
    // Neither all good nor all bad, or the frames are not what this test is about.
    expect(answers.get('success')).toBeGreaterThan(FRAMES / 10);
    expect(answers.get('refused')).toBeGreaterThan(FRAMES / 10);
    expect(readdirSync(`/proc/${helper.pid}/fd`).length).toBe(descriptors);
    const outside = [...snapshot(host).keys()].filter((name) => !name.startsWith('/export'));
    expect(outside).toEqual(['/', '/precious']);
    client.close();
    const { status, stderr } = await helper.exit();
    expect(status).toBe(0);
    expect(errorLines(stderr).filter((line) => !line.startsWith('warn: '))).toEqual([]);
  });

  it(
    'with a damaged header end the session with status 3 and change nothing',
    { timeout: 60_000 },
    async () => {
      const random = new Random(SEED);
      for (let round = 0; round < 20; round++) {
        const { client, helper, host } = begin();
        expect(client.request(requests.lstat('/')).errno).toBe(0);
        const before = snapshot(host);
        const header = random.bytes(8);
        // A type that exists, with a size that the frame does not keep, or no type at all.
        if (random.chance(0.5)) header.writeUInt32LE(2 + random.below(20), 0);
        else header.writeUInt32LE(22 + random.below(0x7fff_0000), 0);
        try {
          client.send(Buffer.concat([header, random.bytes(random.below(200))]));
          client.finishSending();
          client.receive(requestTypes.LSTAT);
        } catch (error) {
          expect(String(error)).toMatch(/closed the connection|EPIPE|ENOTCONN/);
          if (!(error instanceof WireError)) expect(error).toHaveProperty('errno');
        }
        expect((await helper.exit()).status, `header ${header.toString('hex')}`).toBe(3);
        expect(compareSnapshots(snapshot(host), before)).toEqual([]);
      }
    },
  );
});
