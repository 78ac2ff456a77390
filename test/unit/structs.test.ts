import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdtempSync,
  openSync,
  closeSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GenerationReader } from '../../src/helper/security-models/generation-reader.js';
import { cString } from '../../src/syscalls/memory.js';
import { FileStatus, FileSystemStatus, fstat, lstat, statfs } from '../../src/syscalls/status.js';

/** What our struct layouts say of real files, beside what Node and e2fsprogs say of them. */
describe('struct layouts', () => {
  let directory: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'structs-'));
    writeFileSync(join(directory, 'file'), 'x'.repeat(5000));
    symlinkSync('file', join(directory, 'link'));
  });

  afterAll(() => {
    rmSync(directory, { recursive: true });
  });

  const word64 = (words: Uint32Array, at: number): bigint =>
    BigInt(words[at]!) | (BigInt(words[at + 1]!) << 32n);

  it.each(['file', 'link', '.', '/dev/null'])('struct statx of %s', (name) => {
    const path = name.startsWith('/') ? name : join(directory, name);
    const status = new FileStatus();
    expect(lstat(cString(path), status)).toBe(0);
    const expected = lstatSync(path, { bigint: true });
    const { words } = status;
    expect({
      mode: BigInt(status.mode),
      ino: word64(words, FileStatus.INO),
      nlink: BigInt(words[FileStatus.NLINK]!),
      uid: BigInt(words[FileStatus.UID]!),
      gid: BigInt(words[FileStatus.GID]!),
      size: word64(words, FileStatus.SIZE),
      blksize: BigInt(words[FileStatus.BLKSIZE]!),
      blocks: word64(words, FileStatus.BLOCKS),
      mtimeNs: word64(words, FileStatus.MTIME) * 1_000_000_000n + BigInt(words[FileStatus.MTIME + 2]!),
      ctimeNs: word64(words, FileStatus.CTIME) * 1_000_000_000n + BigInt(words[FileStatus.CTIME + 2]!),
      atimeNs: word64(words, FileStatus.ATIME) * 1_000_000_000n + BigInt(words[FileStatus.ATIME + 2]!),
    }).toEqual({
      mode: expected.mode,
      ino: expected.ino,
      nlink: expected.nlink,
      uid: expected.uid,
      gid: expected.gid,
      size: expected.size,
      blksize: expected.blksize,
      blocks: expected.blocks,
      mtimeNs: expected.mtimeNs,
      ctimeNs: expected.ctimeNs,
      atimeNs: expected.atimeNs,
    });
    expect([words[FileStatus.RDEV_MAJOR], words[FileStatus.RDEV_MINOR]]).toEqual(
      name === '/dev/null' ? [1, 3] : [0, 0],
    );
  });

  it('struct statx of a descriptor', () => {
    const descriptor = openSync(join(directory, 'file'), 'r');
    try {
      const status = new FileStatus();
      expect(fstat(descriptor, status)).toBe(0);
      expect(word64(status.words, FileStatus.SIZE)).toBe(5000n);
    } finally {
      closeSync(descriptor);
    }
  });

  it('struct statfs', () => {
    const status = new FileSystemStatus();
    expect(statfs(cString(directory), status)).toBe(0);
    const expected = statfsSync(directory, { bigint: true });
    expect(word64(status.words, FileSystemStatus.TYPE)).toBe(expected.type);
    expect(word64(status.words, FileSystemStatus.BSIZE)).toBe(expected.bsize);
    expect(word64(status.words, FileSystemStatus.BLOCKS)).toBe(expected.blocks);
    expect(word64(status.words, FileSystemStatus.FILES)).toBe(expected.files);
    expect(status.words[FileSystemStatus.NAMELEN]).toBe(255);
  });

  it('the generation in a file handle is that of FS_IOC_GETVERSION', ({ skip }) => {
    const status = new FileSystemStatus();
    statfs(cString(directory), status);
    const EXT = 0xef53;
    if (status.type !== EXT) skip(`${directory} is not on ext2/3/4, so lsattr cannot tell a generation`);
    const path = join(directory, 'file');
    const generation = new Int32Array(1);
    expect(new GenerationReader(status.type, true).read(cString(path), generation, 0)).toBe(0);
    const [, listed] = /^\s*(\d+)\s/.exec(execFileSync('lsattr', ['-v', path], { encoding: 'utf8' })) ?? [];
    expect(generation[0]! >>> 0).toBe(Number(listed));
    expect(generation[0]).not.toBe(0);
  });
});
