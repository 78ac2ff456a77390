/** Requests of every type for paths that try to get out. */
import { constants } from 'node:fs';
import type { Random } from '../../harness/random.js';
import { type RequestName, requestNames, requests } from '../../harness/requests.js';
import { NEW_NAME } from '../../harness/outside.js';

/** Where requests put what they make; few, so that they meet each other. */
const NEW_NAMES = 40;
const root = { uid: 0, gid: 0 };
const owners = [root, { uid: 1000, gid: 1000 }, { uid: 12, gid: 34 }] as const;
const openFlags = [
  constants.O_RDONLY,
  constants.O_WRONLY,
  constants.O_RDWR,
  constants.O_RDWR | constants.O_TRUNC,
  constants.O_RDONLY | constants.O_NOFOLLOW,
  constants.O_RDONLY | constants.O_DIRECTORY,
  constants.O_WRONLY | constants.O_APPEND,
] as const;
const createFlags = [
  constants.O_CREAT | constants.O_WRONLY,
  constants.O_CREAT | constants.O_RDWR | constants.O_TRUNC,
  constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY,
] as const;
const XATTR = 'user.canary';
const nodeModes = [constants.S_IFIFO | 0o666, constants.S_IFREG | 0o600, constants.S_IFSOCK | 0o777] as const;

export interface Attack {
  readonly name: RequestName;
  readonly bytes: Buffer;
}

/** Draws a path: one of those given, sometimes with something new behind it. */
export type Paths = (random: Random) => string;

export function newName(random: Random): string {
  return `${NEW_NAME}${random.below(NEW_NAMES)}`;
}

/** A path that something can be made at: new names below the given ones, or these themselves. */
function target(random: Random, paths: Paths): string {
  return random.chance(0.7) ? `${paths(random)}/${newName(random)}` : paths(random);
}

type Maker = (random: Random, paths: Paths, linkTargets: readonly string[]) => Buffer;

const makers: Record<RequestName, Maker> = {
  OPEN: (r, p) => requests.open(p(r), r.pick(openFlags)),
  CREATE: (r, p) => requests.create(target(r, p), r.pick(createFlags), 0o644, r.pick(owners)),
  MKNOD: (r, p) => requests.mknod(r.pick(owners), target(r, p), r.pick(nodeModes), 0),
  MKDIR: (r, p) => requests.mkdir(r.pick(owners), target(r, p), 0o755),
  SYMLINK: (r, p, targets) => requests.symlink(r.pick(owners), r.pick(targets), target(r, p)),
  LINK: (r, p) => requests.link(p(r), target(r, p)),
  LSTAT: (r, p) => requests.lstat(p(r)),
  READLINK: (r, p) => requests.readlink(p(r), 4_096),
  STATFS: (r, p) => requests.statfs(p(r)),
  CHMOD: (r, p) => requests.chmod(p(r), r.pick([0o777, 0o755, 0o4777])),
  CHOWN: (r, p) => requests.chown(p(r), r.pick(owners)),
  TRUNCATE: (r, p) => requests.truncate(p(r), r.below(3)),
  UTIME: (r, p) => requests.utime(p(r), [BigInt(r.below(1_000)), 0n], [BigInt(r.below(1_000)), 0n]),
  RENAME: (r, p) => requests.rename(p(r), target(r, p)),
  REMOVE: (r, p) => requests.remove(target(r, p)),
  LGETXATTR: (r, p) => requests.lgetxattr(r.pick([0, 64, 65_536]), p(r), XATTR),
  LLISTXATTR: (r, p) => requests.llistxattr(r.pick([0, 64, 65_536]), p(r)),
  LSETXATTR: (r, p) => requests.lsetxattr(p(r), XATTR, 'inside'),
  LREMOVEXATTR: (r, p) => requests.lremovexattr(p(r), XATTR),
  GETVERSION: (r, p) => requests.getversion(p(r)),
};

/** One request of one type. `linkTargets` are what new symlinks point to. */
export function attack(
  name: RequestName,
  random: Random,
  paths: Paths,
  linkTargets: readonly string[],
): Attack {
  return { name, bytes: makers[name](random, paths, linkTargets) };
}

/** One request of any type. */
export function anyAttack(random: Random, paths: Paths, linkTargets: readonly string[]): Attack {
  return attack(random.pick(requestNames), random, paths, linkTargets);
}
