/** A directory to export, and an exact description of what is in it. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { lseek, xattrs } from './libc.js';

const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** One object; its fields are text so that a difference between two trees reads well. */
export interface Entry {
  readonly type: string;
  readonly mode: string;
  readonly owner: string;
  readonly nlink: number;
  readonly rdev: string;
  readonly size: string;
  /** The data extents with their offsets, hashed: a file of 2^40 bytes may hold three. */
  readonly content: string;
  readonly target: string;
  readonly atime: string;
  readonly mtime: string;
  readonly xattrs: readonly string[];
  /** The first name under which the walk met this inode: equal for names that are hard links of one object. */
  readonly sameAs: string;
}

/** Paths as latin1 text (one character per byte, so nothing is lost), from `/`. */
export type Snapshot = ReadonlyMap<string, Entry>;

/** Turns a time into what may be compared; by default the nanoseconds themselves. */
export type TimeView = (nanoseconds: bigint) => string;

const types = new Map<number, string>([
  [constants.S_IFREG, 'file'],
  [constants.S_IFDIR, 'directory'],
  [constants.S_IFLNK, 'symlink'],
  [constants.S_IFIFO, 'fifo'],
  [constants.S_IFSOCK, 'socket'],
  [constants.S_IFCHR, 'character device'],
  [constants.S_IFBLK, 'block device'],
]);

function contentHash(path: Buffer): string {
  const hash = createHash('sha256');
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const block = Buffer.alloc(65_536);
    for (let start = lseek(fd, 0, SEEK_DATA); start >= 0;) {
      const end = lseek(fd, start, SEEK_HOLE);
      hash.update(`${start}-${end}:`);
      for (let at = start; at < end;) {
        const length = readSync(fd, block, 0, Math.min(block.length, end - at), at);
        if (length === 0) break;
        hash.update(block.subarray(0, length));
        at += length;
      }
      start = lseek(fd, end, SEEK_DATA);
    }
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex').slice(0, 32);
}

/** To look at a tree changes the times of access in it, so they are not compared by default. */
const noTime: TimeView = () => '';

/** Describes everything at and below a directory. Directories are opened one by one, so depth has no limit. */
export function snapshot(root: string, time: TimeView = String, accessTime: TimeView = noTime): Snapshot {
  const entries = new Map<string, Entry>();
  const firstNames = new Map<bigint, string>();

  const describe = (access: Buffer, name: string): Entry => {
    const stat = lstatSync(access, { bigint: true });
    const kind = Number(stat.mode) & constants.S_IFMT;
    const first = firstNames.get(stat.ino) ?? name;
    firstNames.set(stat.ino, first);
    return {
      type: types.get(kind) ?? `type ${kind.toString(8)}`,
      mode: (Number(stat.mode) & 0o7777).toString(8),
      owner: `${stat.uid}:${stat.gid}`,
      nlink: Number(stat.nlink),
      rdev: stat.rdev.toString(16),
      // How large a directory is on disk depends on its history in the file system, not on what it holds.
      size: kind === constants.S_IFDIR ? '' : String(stat.size),
      content: kind === constants.S_IFREG && stat.size > 0n ? contentHash(access) : '',
      target: kind === constants.S_IFLNK ? readlinkSync(access, { encoding: 'latin1' }) : '',
      atime: accessTime(stat.atimeNs),
      mtime: time(stat.mtimeNs),
      xattrs: xattrs(access)
        .map(([key, value]) => `${key.toString('latin1')}=${value.toString('hex')}`)
        .sort(),
      sameAs: first,
    };
  };

  const walk = (access: Buffer, name: string): void => {
    const fd = openSync(access, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      const inside = Buffer.from(`/proc/self/fd/${fd}/`);
      const children = readdirSync(inside, { encoding: 'buffer' }).sort((a, b) => a.compare(b));
      for (const child of children) {
        const childAccess = Buffer.concat([inside, child]);
        const childName = `${name === '/' ? '' : name}/${child.toString('latin1')}`;
        const entry = describe(childAccess, childName);
        entries.set(childName, entry);
        if (entry.type === 'directory') walk(childAccess, childName);
      }
    } finally {
      closeSync(fd);
    }
  };

  entries.set('/', describe(Buffer.from(root), '/'));
  walk(Buffer.from(root), '/');
  return entries;
}

/** The first differences between two snapshots, as text; empty when they are equal. */
export function compareSnapshots(ours: Snapshot, theirs: Snapshot, limit = 20): string[] {
  const differences: string[] = [];
  for (const name of new Set([...ours.keys(), ...theirs.keys()])) {
    const [a, b] = [ours, theirs].map((tree) =>
      tree.has(name) ? JSON.stringify(tree.get(name)) : 'missing',
    );
    if (a === b) continue;
    differences.push(`${JSON.stringify(name)}\n  ours:   ${a!}\n  theirs: ${b!}`);
    if (differences.length === limit) break;
  }
  return differences;
}

/** A new empty directory with mode 0755; the caller removes it with `removeTree`. */
export function makeExport(directory = tmpdir()): string {
  const path = mkdtempSync(join(directory, 'export-'));
  chmodSync(path, 0o755);
  return path;
}

/** By rm, because Node's own removal cannot go deeper than PATH_MAX. */
export function removeTree(path: string): void {
  execFileSync('rm', ['-rf', path]);
}

/** The same for one test, removed however the test ends. */
export function exportForTest(directory?: string): string {
  const path = makeExport(directory);
  onTestFinished(() => {
    removeTree(path);
  });
  return path;
}
