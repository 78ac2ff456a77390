/** Fifos, sockets and devices are never opened: not by a flag, not by a detour, and without waiting for anybody. */
import { closeSync, constants, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Session, startSession, whyNotRoot } from '../../harness/helper-process.js';
import { errnoName, mknod } from '../../harness/libc.js';
import { requests } from '../../harness/requests.js';
import { makeExport, removeTree } from '../../harness/tree.js';
import { patience } from '../../harness/patience.js';

const skipped = whyNotRoot();

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_NONBLOCK, O_NOATIME, O_NOFOLLOW, O_APPEND } =
  constants;
const owner = { uid: 1000, gid: 1000 };
const NULL_DEVICE = 0x103;
const NO_DRIVER = 0xfa63;

const kinds = [
  ['fifo', constants.S_IFIFO, 0],
  ['socket', constants.S_IFSOCK, 0],
  ['character device', constants.S_IFCHR, NULL_DEVICE],
  ['device without a driver', constants.S_IFCHR, NO_DRIVER],
  ['block device', constants.S_IFBLK, NO_DRIVER],
] as const;

const flags: readonly (readonly [string, number])[] = [
  ['O_RDONLY', O_RDONLY],
  ['O_WRONLY', O_WRONLY],
  ['O_RDWR', O_RDWR],
  ['both access bits', 3],
  ['O_NONBLOCK', O_NONBLOCK],
  ['O_TRUNC', O_WRONLY | O_TRUNC],
  ['O_APPEND', O_WRONLY | O_APPEND],
  ['O_NOATIME and O_NOFOLLOW', O_NOATIME | O_NOFOLLOW],
];

describe.skipIf(skipped !== undefined).each(kinds)('a %s', (_kind, type, rdev) => {
  let root: string;
  let session: Session;

  beforeAll(() => {
    root = makeExport();
    mknod(Buffer.from(join(root, 'special')), type | 0o666, rdev);
    // An answer that has to wait for somebody does not come in this time.
    session = startSession(root, { timeoutSeconds: 2 * patience });
    expect(session.client.request(requests.symlink(owner, 'special', '/link')).errno).toBe(0);
  });

  afterAll(async () => {
    session.client.close();
    await session.helper.stop();
    removeTree(root);
  });

  it.each(flags)('is ENXIO to OPEN with %s', (_name, bits) => {
    expect(errnoName(session.client.request(requests.open('/special', bits)).errno)).toBe('ENXIO');
  });

  it('is ENXIO through a symlink', () => {
    expect(errnoName(session.client.request(requests.open('/link', O_RDONLY)).errno)).toBe('ENXIO');
  });

  it.each(flags)('is ENXIO to CREATE with %s', (_name, bits) => {
    const request = requests.create('/special', bits | O_CREAT, 0o644, owner);
    expect(errnoName(session.client.request(request).errno)).toBe('ENXIO');
  });

  it('has a size of zero that nobody can change, and times and modes that anybody may', () => {
    const { client } = session;
    expect(errnoName(client.request(requests.truncate('/special', 5)).errno)).toBe('EINVAL');
    expect(client.request(requests.chmod('/special', 0o600)).errno).toBe(0);
    expect(client.request(requests.utime('/special', [1n, 2n], [3n, 4n])).errno).toBe(0);
    expect(client.request(requests.lstat('/special')).payload.readBigInt64LE(84)).toBe(3n);
    expect(client.request(requests.chmod('/special', 0o666)).errno).toBe(0);
  });

  it('has a generation, asked for without opening it', () => {
    expect(session.client.request(requests.getversion('/special')).errno).toBe(0);
  });

  it('left no descriptor open in the helper', () => {
    const { client, helper } = session;
    const before = readdirSync(`/proc/${helper.pid}/fd`).length;
    for (const path of ['/special', '/link', '/', '/missing']) {
      const { descriptor } = client.request(requests.open(path, O_RDONLY));
      if (descriptor !== undefined) closeSync(descriptor);
    }
    expect(readdirSync(`/proc/${helper.pid}/fd`).length).toBe(before);
  });
});
