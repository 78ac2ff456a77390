/** What numbers of the protocol mean on Linux: permissions, open modes, stat records, versions. */
import { constants } from 'node:fs';
import os from 'node:os';
import { describe, expect, it } from 'vitest';
import { creationOf, deviceExtension } from '../../../src/server/p9/creation.js';
import type { Dialect } from '../../../src/server/p9/messages.js';
import { entryType, modeOf, permissionsOf, qidType } from '../../../src/server/p9/modes.js';
import { createFlags, openFlags, openModeFlags, removesOnClunk } from '../../../src/server/p9/open-flags.js';
import { statChanges } from '../../../src/server/p9/stat.js';
import { negotiate } from '../../../src/server/p9/version.js';
import { plainRecord } from './golden-records.js';

const { EINVAL, EMSGSIZE, ENOENT, EOPNOTSUPP } = os.constants.errno;
const bytes = (text: string): Buffer => Buffer.from(text);

describe('permissions', () => {
  it.each([
    [0o100644, 0o644, 0o644],
    [0o040755, 0x800001ed, 0x800001ed],
    [0o120777, 0x020001ff, 0o777],
    [0o060600, 0x00800180, 0o600],
    [0o020600, 0x00800180, 0o600],
    [0o010600, 0x00200180, 0o600],
    [0o140600, 0x00100180, 0o600],
    [0o104755, 0x000801ed, 0o755],
    [0o102755, 0x000401ed, 0o755],
    [0o041777, 0x800101ff, 0x800001ff],
  ])('of mode %o', (mode, extended, plain) => {
    expect(permissionsOf(mode, '9P2000.u')).toBe(extended);
    expect(permissionsOf(mode, '9P2000')).toBe(plain);
    expect(modeOf(extended, '9P2000.u')).toBe(mode & 0o7777);
    expect(modeOf(extended, '9P2000')).toBe(mode & 0o777);
  });
  it('type qids and entries', () => {
    const types = [0o100644, 0o040755, 0o120777, 0o010600];
    expect(types.map(qidType)).toEqual([0, 0x80, 0x02, 0]);
    expect(types.map(entryType)).toEqual([8, 4, 10, 1]);
  });
});

describe('Tcreate', () => {
  const made = (permissions: number, extension = '', dialect: Dialect = '9P2000.u') =>
    creationOf(permissions, bytes(extension), dialect);

  it.each([
    [0o644, '', { kind: 'file', mode: 0o644 }],
    [0x000801ed, '', { kind: 'file', mode: 0o4755 }],
    [0x800401ed, '', { kind: 'directory', mode: 0o2755 }],
    [0x020001ff, '../t', { kind: 'symlink', target: bytes('../t') }],
    [0x01000000, '17', { kind: 'link', fid: 17 }],
    // as Linux sends it
    [0x01000000, '4294967294\n', { kind: 'link', fid: 0xfffffffe }],
    [0x00800180, 'b 8 1048575', { kind: 'node', mode: 0o060600, major: 8, minor: 1048575 }],
    [0x00800180, 'c 4095 0', { kind: 'node', mode: 0o020600, major: 4095, minor: 0 }],
    [0x00200180, '', { kind: 'node', mode: 0o010600, major: 0, minor: 0 }],
    [0x00100180, '', { kind: 'node', mode: 0o140600, major: 0, minor: 0 }],
  ])('of permissions %d and %j makes what they say', (permissions, extension, creation) => {
    expect(made(permissions, extension)).toEqual(creation);
  });

  it.each([
    [0x82000000, 't', -EINVAL],
    [0x02000000, '', -ENOENT],
    [0x02000000, 'a\0', -EINVAL],
    [0x01000000, '', -EINVAL],
    [0x01000000, '-1', -EINVAL],
    [0x01000000, '4294967296', -EINVAL],
    [0x01000000, '1 2', -EINVAL],
    [0x00800000, '', -EINVAL],
    [0x00800000, 'p 1 2', -EINVAL],
    [0x00800000, 'b 1', -EINVAL],
    [0x00800000, 'b 4096 0', -EINVAL],
    [0x00800000, 'b 1 1048576', -EINVAL],
    [0x00800000, 'b 1 99999999999999999999', -EINVAL],
    [0x40000000, '', -EOPNOTSUPP],
    [0x20000000, '', -EOPNOTSUPP],
    [0x08000000, '', -EINVAL],
  ])('of permissions %d and %j is refused', (permissions, extension, errno) => {
    expect(made(permissions, extension)).toBe(errno);
  });

  it('of plain 9P2000 makes files and directories', () => {
    expect(made(0x800001ed, '', '9P2000')).toEqual({ kind: 'directory', mode: 0o755 });
    expect(made(0o644, '', '9P2000')).toEqual({ kind: 'file', mode: 0o644 });
    expect(made(0x02000000, '', '9P2000')).toBe(-EOPNOTSUPP);
    // set-user-ID is no bit of it
    expect(made(0x000801ed, '', '9P2000')).toEqual({ kind: 'file', mode: 0o755 });
  });

  it('names devices as it reads them', () => {
    expect(Buffer.from(deviceExtension(0o060600, 8, 1)).toString()).toBe('b 8 1');
    expect(Buffer.from(deviceExtension(0o020600, 1, 3)).toString()).toBe('c 1 3');
    expect(deviceExtension(0o100600, 1, 3)).toHaveLength(0);
  });
});

describe('open flags of 9P2000.L', () => {
  const { O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_NONBLOCK, O_DSYNC, O_SYNC } = constants;
  it.each([
    ['O_RDONLY', 0, 0],
    ['O_WRONLY', 0o1, O_WRONLY],
    ['O_RDWR', 0o2, O_RDWR],
    ['O_CREAT', 0o100, 0],
    ['O_EXCL', 0o200, 0],
    ['O_NOCTTY', 0o400, 0],
    ['O_TRUNC', 0o1001, O_WRONLY | O_TRUNC],
    ['O_APPEND, only written', 0o2001, O_WRONLY | O_APPEND],
    ['O_APPEND, read as well', 0o2002, O_RDWR],
    ['O_APPEND, only read', 0o2000, 0],
    ['O_NONBLOCK', 0o4000, O_NONBLOCK],
    ['O_DSYNC', 0o10000, O_DSYNC],
    ['FASYNC', 0o20000, 0],
    ['O_DIRECT', 0o40000, 0],
    ['O_LARGEFILE', 0o100000, 0],
    ['O_DIRECTORY', 0o200000, constants.O_DIRECTORY],
    ['O_NOFOLLOW', 0o400000, constants.O_NOFOLLOW],
    ['O_NOATIME', 0o1000000, constants.O_NOATIME],
    ['O_CLOEXEC', 0o2000000, 0],
    ['O_SYNC', 0o4000000, O_SYNC],
    ['O_PATH and what Linux may invent', 0xf000_0000 | 0o10000000, 0],
  ])('%s', (_, wire, flags) => {
    expect(openFlags(wire)).toBe(flags);
    expect(createFlags(wire)).toBe(flags | O_CREAT | (wire === 0o200 ? O_EXCL : 0));
  });
});

describe('open modes of 9P2000', () => {
  const { O_RDONLY, O_WRONLY, O_RDWR, O_TRUNC, O_APPEND } = constants;
  it.each([
    [0, O_RDONLY],
    [1, O_WRONLY],
    [2, O_RDWR],
    [3, O_RDONLY],
    [0x11, O_WRONLY | O_TRUNC],
    [0x52, O_RDWR | O_TRUNC],
    [0x81, O_WRONLY | O_APPEND],
    [0x82, O_RDWR],
    [0x20, O_RDONLY],
  ])('%i', (mode, flags) => {
    expect(openModeFlags(mode)).toBe(flags);
    expect(removesOnClunk(mode)).toBe(mode === 0x52);
  });
});

describe('Twstat', () => {
  const untouched = {
    type: 0xffff,
    dev: 0xffffffff,
    qid: { type: 0xff, version: 0xffffffff, path: 2n ** 64n - 1n },
    mode: 0xffffffff,
    atime: 0xffffffff,
    mtime: 0xffffffff,
    length: 2n ** 64n - 1n,
    name: bytes(''),
    uid: bytes(''),
    gid: bytes(''),
    muid: bytes(''),
  };
  const nothing = Object.fromEntries(
    ['mode', 'atime', 'mtime', 'length', 'name', 'groupName', 'uid', 'gid'].map((name) => [name, undefined]),
  );
  it('that touches nothing changes nothing', () => {
    expect(statChanges(untouched)).toEqual(nothing);
    const extended = { extension: bytes(''), uid: 0xffffffff, gid: 0xffffffff, muid: 0xffffffff };
    expect(statChanges({ ...untouched, extended })).toEqual(nothing);
  });
  it('changes what it touches', () => {
    expect(statChanges(plainRecord)).toEqual({
      ...nothing,
      mode: 0x800001ed,
      atime: 11,
      mtime: 12,
      name: bytes('n'),
    });
    const extended = { extension: bytes(''), uid: 0, gid: 5, muid: 0xffffffff };
    expect(statChanges({ ...untouched, length: 0, gid: bytes('g'), extended })).toEqual({
      ...nothing,
      length: 0,
      groupName: bytes('g'),
      uid: 0,
      gid: 5,
    });
  });
});

describe('Tversion', () => {
  const negotiated = (version: string, msize: number) =>
    negotiate({ msize, version: bytes(version) }, 65_536);
  it.each([
    ['9P2000.L', '9P2000.L', '9P2000.L'],
    ['9P2000.u', '9P2000.u', '9P2000.u'],
    ['9P2000', '9P2000', '9P2000'],
    ['9P2000.Lx', '9P2000', '9P2000'],
    ['9P2000.e', '9P2000', '9P2000'],
    ['9P2000L', undefined, 'unknown'],
    ['9P1999', undefined, 'unknown'],
    ['9P', undefined, 'unknown'],
    ['', undefined, 'unknown'],
    ['unknown', undefined, 'unknown'],
  ])('of %j', (asked, dialect, version) => {
    expect(negotiated(asked, 8192)).toEqual({ dialect, msize: 8192, version: bytes(version) });
  });
  it('has the smaller of two sizes', () => {
    expect(negotiated('9P2000.L', 0xffffffff)).toMatchObject({ msize: 65_536 });
    expect(negotiated('9P2000.L', 4096)).toMatchObject({ msize: 4096 });
  });
  it.each([0, 4095])('of %i bytes a message is refused', (msize) => {
    expect(negotiated('9P2000.u', msize)).toEqual({ errno: EMSGSIZE, dialect: '9P2000.u' });
  });
});
