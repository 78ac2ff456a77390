/** Frames as a socket may deliver them, and frames that are not what they say. */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Session, sessionForTest, startSession, whyNotRoot } from '../../harness/helper-process.js';
import { errnoName } from '../../harness/libc.js';
import { d, frame, q, requestNames, requests, requestTypes, s } from '../../harness/requests.js';
import { compareSnapshots, exportForTest, makeExport, removeTree, snapshot } from '../../harness/tree.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`session tests skipped: ${skipped}`);

const owner = { uid: 1000, gid: 1000 };
const u16 = (value: number): Buffer => Buffer.of(value & 0xff, value >> 8);

describe.skipIf(skipped !== undefined)('frames', () => {
  it('may come split at every byte', async () => {
    const { client } = sessionForTest(exportForTest());
    const bytes = requests.mkdir(owner, '/directory', 0o755);
    for (let at = 1; at < bytes.length; at++) {
      client.send(bytes.subarray(0, at));
      // Longer than the helper polls for more, so that every way of waiting meets a part of a frame.
      await wait(at % 4 === 0 ? 30 : 1);
      client.send(bytes.subarray(at));
      expect(errnoName(client.receive(requestTypes.MKDIR).errno)).toBe(at === 1 ? 'success' : 'EEXIST');
    }
  });

  it('may come one byte at a time', () => {
    const { client } = sessionForTest(exportForTest());
    for (const byte of requests.mkdir(owner, '/directory', 0o755)) client.send(Buffer.of(byte));
    expect(client.receive(requestTypes.MKDIR).errno).toBe(0);
  });

  it('may come two in one write', () => {
    const { client } = sessionForTest(exportForTest());
    // The second reply is read as a part of the first if there is no boundary, so they differ in kind.
    client.send(Buffer.concat([requests.mkdir(owner, '/a', 0o755), requests.open('/a', 0)]));
    const replies = Buffer.alloc(16);
    let have = 0;
    while (have < 16) have += client.receiveRaw().copy(replies, have);
    expect(replies.toString('hex')).toBe('000000000400000000000000ffffff7f');
  });

  it('may be as large as the protocol allows, and followed by the start of the next', () => {
    const { client } = sessionForTest(exportForTest());
    const largest = frame(requestTypes.LSTAT, s('/'), Buffer.alloc(65_536 - 3, 'x'));
    const next = requests.lstat('/');
    client.send(Buffer.concat([largest, next.subarray(0, 5)]));
    expect(client.receive(requestTypes.LSTAT).payload.length).toBe(116);
    client.send(next.subarray(5));
    expect(client.receive(requestTypes.LSTAT).payload.length).toBe(116);
  });

  it('may have bytes after their fields, which mean nothing', () => {
    const { client } = sessionForTest(exportForTest());
    expect(client.request(frame(requestTypes.LSTAT, s('/'), Buffer.from('junk'))).errno).toBe(0);
    expect(client.request(requests.lstat('/')).errno).toBe(0);
  });
});

/** All requests of one kind with their fields, so that each can be cut anywhere. */
const wellFormed = {
  OPEN: requests.open('/f', 0),
  CREATE: requests.create('/new', 0x42, 0o644, owner),
  MKNOD: requests.mknod(owner, '/new', 0o10644, 0),
  MKDIR: requests.mkdir(owner, '/new', 0o755),
  SYMLINK: requests.symlink(owner, 'target', '/new'),
  LINK: requests.link('/f', '/new'),
  LSTAT: requests.lstat('/f'),
  READLINK: requests.readlink('/f', 4096),
  STATFS: requests.statfs('/f'),
  CHMOD: requests.chmod('/f', 0o600),
  CHOWN: requests.chown('/f', owner),
  TRUNCATE: requests.truncate('/f', 10),
  UTIME: requests.utime('/f', [1n, 1n], [1n, 1n]),
  RENAME: requests.rename('/f', '/new'),
  REMOVE: requests.remove('/f'),
  LGETXATTR: requests.lgetxattr(10, '/f', 'user.a'),
  LLISTXATTR: requests.llistxattr(10, '/f'),
  LSETXATTR: requests.lsetxattr('/f', 'user.a', 'value'),
  LREMOVEXATTR: requests.lremovexattr('/f', 'user.a'),
  GETVERSION: requests.getversion('/f'),
};

describe.skipIf(skipped !== undefined)('malformed payloads', () => {
  let root: string;
  let session: Session;

  beforeAll(() => {
    root = makeExport();
    session = startSession(root);
    expect(session.client.request(requests.mknod({ uid: 0, gid: 0 }, '/f', 0o100644, 0)).errno).toBe(0);
  });

  afterAll(async () => {
    session.client.close();
    await session.helper.stop();
    removeTree(root);
  });

  it.each(requestNames)('%s, cut anywhere, is ENOBUFS and changes nothing', (name) => {
    const { client } = session;
    const before = snapshot(root);
    const payload = wellFormed[name].subarray(8);
    for (let length = 0; length < payload.length; length++) {
      const { errno } = client.request(frame(requestTypes[name], payload.subarray(0, length)));
      expect(errnoName(errno), `${name} cut to ${length} of ${payload.length} bytes`).toBe('ENOBUFS');
    }
    expect(compareSnapshots(snapshot(root), before)).toEqual([]);
  });

  it('a string longer than its frame is ENOBUFS, and the session goes on', () => {
    const { client } = session;
    for (const length of [2, 3, 255, 256, 4_096, 32_768, 65_535]) {
      const lying = frame(requestTypes.LSTAT, u16(length), Buffer.from('/'));
      expect(errnoName(client.request(lying).errno)).toBe('ENOBUFS');
    }
    const secondString = frame(requestTypes.RENAME, s('/a'), u16(9), Buffer.from('/b'));
    expect(errnoName(client.request(secondString).errno)).toBe('ENOBUFS');
    expect(client.request(requests.lstat('/')).errno).toBe(0);
  });

  it.each([
    ['OPEN', requests.open('/f\0x', 0)],
    ['CREATE', requests.create('/f\0x', 0x42, 0o644, owner)],
    ['MKNOD', requests.mknod(owner, '/new\0x', 0o10644, 0)],
    ['MKDIR', requests.mkdir(owner, '/new\0x', 0o755)],
    ['SYMLINK path', requests.symlink(owner, 'target', '/new\0x')],
    ['SYMLINK target', requests.symlink(owner, 'tar\0get', '/new')],
    ['LINK from', requests.link('/f\0x', '/new')],
    ['LINK to', requests.link('/f', '/new\0x')],
    ['LSTAT', requests.lstat('/f\0x')],
    ['READLINK', requests.readlink('/f\0x', 4096)],
    ['STATFS', requests.statfs('\0x')],
    ['CHMOD', requests.chmod('/f\0x', 0o600)],
    ['CHOWN', requests.chown('/f\0x', owner)],
    ['TRUNCATE', requests.truncate('/f\0x', 10)],
    ['UTIME', requests.utime('/f\0x', [1n, 1n], [1n, 1n])],
    ['RENAME from', requests.rename('/f\0x', '/new')],
    ['RENAME to', requests.rename('/f', '/new\0x')],
    ['REMOVE', requests.remove('/f\0x')],
    ['LGETXATTR name', requests.lgetxattr(10, '/f', 'user.a\0x')],
    ['LGETXATTR path', requests.lgetxattr(10, '/f\0x', 'user.a')],
    ['LLISTXATTR', requests.llistxattr(10, '/f\0x')],
    ['LSETXATTR path', requests.lsetxattr('/f\0x', 'user.a', 'v')],
    ['LSETXATTR name', requests.lsetxattr('/f', 'user.a\0x', 'v')],
    ['LREMOVEXATTR name', requests.lremovexattr('/f', 'user.a\0x')],
    ['GETVERSION', requests.getversion('/f\0x')],
  ])('a NUL inside the string of %s is EINVAL and changes nothing', (_name, bytes) => {
    const { client } = session;
    const before = snapshot(root);
    expect(errnoName(client.request(bytes).errno)).toBe('EINVAL');
    expect(compareSnapshots(snapshot(root), before)).toEqual([]);
  });

  it('a NUL at the end of a path is what QEMU sends, and one is enough', () => {
    const root = exportForTest();
    const { client } = sessionForTest(root);
    expect(client.request(requests.mkdir(owner, '/d\0', 0o755)).errno).toBe(0);
    expect(client.request(requests.symlink(owner, 'target', '/l\0')).errno).toBe(0);
    expect(client.request(requests.rename('/d\0', '/e\0')).errno).toBe(0);
    expect([...snapshot(root).keys()]).toEqual(['/', '/e', '/l']);
    expect(client.request(requests.lstat('/e\0')).errno).toBe(0);
    expect(errnoName(client.request(requests.lstat('/e\0\0')).errno)).toBe('EINVAL');
    expect(errnoName(client.request(requests.lstat('\0')).errno)).toBe('ENOENT');
  });

  it('a NUL inside the value of an attribute is a byte like any other', () => {
    const root = exportForTest();
    const { client } = sessionForTest(root);
    expect(client.request(requests.lsetxattr('/', 'user.a', 'a\0b')).errno).toBe(0);
    expect(client.request(requests.lgetxattr(10, '/', 'user.a')).payload.toString('latin1')).toBe(
      '\x03\0a\0b',
    );
  });

  it('sizes and lengths that no reply or file can have are refused', () => {
    const root = exportForTest();
    const { client } = sessionForTest(root);
    const file = requests.create('/f', 0x42, 0o644, owner);
    expect(client.request(file).errno).toBe(0);
    const link = requests.symlink(owner, 'target', '/l');
    expect(client.request(link).errno).toBe(0);
    const refused = [
      requests.readlink('/l', -1),
      requests.readlink('/l', 0),
      requests.lgetxattr(-1, '/f', 'user.a'),
      requests.llistxattr(-(2 ** 31), '/f'),
      requests.truncate('/f', -1),
      requests.lsetxattr('/f', 'user.a', 'value', 0, -1),
      requests.lsetxattr('/f', 'user.a', 'value', 0, 70_000),
      frame(requestTypes.LSETXATTR, s('/f'), s('user.a'), s('value'), d(4), d(0)),
      frame(requestTypes.UTIME, s('/f'), q(0), q(10n ** 9n), q(0), q(0)),
    ];
    expect(refused.map((bytes) => errnoName(client.request(bytes).errno))).toEqual(
      refused.map(() => 'EINVAL'),
    );
    expect(lstatSync(join(root, 'f')).size).toBe(0);
  });
});
