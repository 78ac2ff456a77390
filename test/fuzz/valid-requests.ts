/** Valid requests of every type for the scratch tree of `scratch.ts`, with ordinary and extreme arguments. */
import { constants } from 'node:fs';
import type { Random } from '../../harness/random.js';
import { type Bytes, type Owner, type RequestName, requests } from '../../harness/requests.js';
import { scratchPaths } from './scratch.js';

const LONGEST_STRING = 0xffff;
const owners: readonly Owner[] = [
  { uid: 0, gid: 0 },
  { uid: 1000, gid: 1000 },
  { uid: 0, gid: 1000 },
  { uid: 65_534, gid: 65_534 },
  { uid: -1, gid: -1 },
  { uid: 0x7fffffff, gid: 0xfffffffe },
];
const modes = [0, 0o644, 0o755, 0o1777, 0o4755, 0o2750, 0o7777, 0o177777, 0xffffffff] as const;
const kinds = [
  constants.S_IFREG,
  constants.S_IFIFO,
  constants.S_IFSOCK,
  constants.S_IFCHR,
  constants.S_IFBLK,
  constants.S_IFDIR,
  constants.S_IFLNK,
  0,
] as const;
const flags = [
  0,
  1,
  2,
  3,
  constants.O_TRUNC,
  constants.O_TRUNC | 2,
  constants.O_CREAT | 1,
  constants.O_CREAT | constants.O_EXCL | 2,
  constants.O_DIRECTORY,
  constants.O_DIRECTORY | 2,
  constants.O_NOFOLLOW,
  constants.O_DIRECT | 2,
  constants.O_APPEND | 1,
  constants.O_NOATIME,
  0o20200000, // O_TMPFILE
  0o10000000, // O_PATH
  -1,
] as const;
const sizes = [
  0, 1, 2, 3, 17, 64, 255, 4_095, 4_096, 65_533, 65_534, 65_535, 65_536, 0x7fffffff, -1, -0x80000000,
] as const;
const longs = [
  0n,
  1n,
  4_095n,
  4_096n,
  1n << 31n,
  1n << 32n,
  1n << 53n,
  (1n << 63n) - 1n,
  -1n,
  -(1n << 63n),
] as const;
const nanoseconds = [0n, 1n, 999_999_999n, 1_000_000_000n, 0x3fffffffn, 0x3ffffffen, -1n] as const;
const xattrNames = [
  'user.a',
  'user.b',
  'user.',
  'trusted.x',
  'security.capability',
  'system.posix_acl_access',
  'nothing',
  '',
] as const;

const withXattrs = ['/f', '/d/f'] as const;

/** An existing path, a new one, or one that is odd as a path. */
export function path(random: Random): Bytes {
  const known = random.pick(scratchPaths);
  switch (random.below(24)) {
    case 0:
      return `${known}/new${random.below(20)}`;
    case 1:
      return `/new${random.below(40)}`;
    case 2:
      return `/${random.pick(['..', '../..', 'd/../..'])}${known}`;
    case 3:
      return `${known}${random.pick(['/', '/.', '/..', '//', '/../outside/f'])}`;
    case 4:
      return Buffer.concat([Buffer.from('/'), random.bytes(1 + random.below(300))]);
    case 5:
      return random.chance(0.8)
        ? known
        : `/${random.pick(['d/../', './', '/', 'x'])}`.repeat(random.below(9_000)).slice(0, LONGEST_STRING);
    default:
      return known;
  }
}

type Maker = (random: Random) => Buffer;

const makers: Record<RequestName, Maker> = {
  OPEN: (r) => requests.open(path(r), r.pick(flags)),
  CREATE: (r) => requests.create(path(r), r.pick(flags), r.pick(modes), r.pick(owners)),
  MKNOD: (r) => requests.mknod(r.pick(owners), path(r), r.pick(kinds) | r.pick(modes), r.pick(longs)),
  MKDIR: (r) => requests.mkdir(r.pick(owners), path(r), r.pick(modes)),
  SYMLINK: (r) => requests.symlink(r.pick(owners), path(r), path(r)),
  LINK: (r) => requests.link(path(r), path(r)),
  LSTAT: (r) => requests.lstat(path(r)),
  READLINK: (r) => requests.readlink(path(r), r.pick(sizes)),
  STATFS: (r) => requests.statfs(path(r)),
  CHMOD: (r) => requests.chmod(path(r), r.pick(modes)),
  CHOWN: (r) => requests.chown(path(r), r.pick(owners)),
  TRUNCATE: (r) => requests.truncate(path(r), r.pick(longs)),
  UTIME: (r) =>
    requests.utime(path(r), [r.pick(longs), r.pick(nanoseconds)], [r.pick(longs), r.pick(nanoseconds)]),
  RENAME: (r) => requests.rename(path(r), path(r)),
  REMOVE: (r) => requests.remove(path(r)),
  LGETXATTR: (r) =>
    requests.lgetxattr(r.pick(sizes), r.chance(0.5) ? r.pick(withXattrs) : path(r), r.pick(xattrNames)),
  LLISTXATTR: (r) => requests.llistxattr(r.pick(sizes), path(r)),
  LSETXATTR: (r) =>
    requests.lsetxattr(
      path(r),
      r.pick(xattrNames),
      r.bytes(r.below(r.chance(0.02) ? 60_000 : 80)),
      r.below(4),
    ),
  LREMOVEXATTR: (r) =>
    requests.lremovexattr(r.chance(0.3) ? r.pick(withXattrs) : path(r), r.pick(xattrNames)),
  GETVERSION: (r) => requests.getversion(path(r)),
};

/** A whole frame. */
export function validRequest(name: RequestName, random: Random): Buffer {
  return makers[name](random);
}
