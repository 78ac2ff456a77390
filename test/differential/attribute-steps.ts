/** Requests that read and change what an object is, not where it is. */
import { requests } from '../../harness/requests.js';
import { notSticky, owners, modes, oddModes, somewhere } from './object-steps.js';
import { BAD_ARGUMENT, type Source, type StepMaker } from './step.js';
import type { Inode, Kind, Node } from './tree-model.js';

const UTIME_NOW = 0x3fff_ffffn;
const UTIME_OMIT = 0x3fff_fffen;
const UNCHANGED = 0xffff_ffff;

interface Target {
  readonly path: Buffer;
  readonly node: Node | undefined;
}

function target({ random, names, tree }: Source, ...kinds: readonly Kind[]): Target {
  const node = random.chance(0.06) ? tree.pickAny(random) : tree.pick(random, ...kinds);
  if (node === undefined || random.chance(BAD_ARGUMENT)) return { path: names.bad(), node: undefined };
  return { path: names.existing(node), node };
}

const lstat: StepMaker = (source) => ({ name: 'LSTAT', bytes: requests.lstat(somewhere(source)) });

const readlink: StepMaker = (source) => {
  const { path, node } = target(source, 'symlink');
  const length = node?.inode.target.length ?? 0;
  // Sizes that hold the whole target: what does not fit is cut by the reference and refused by ours.
  const size = source.random.pick([4_096, 4_096, 4_096, length + 1, length + 2, 8_192, 65_535]);
  return { name: 'READLINK', bytes: requests.readlink(path, Math.max(size, length + 1, 2)) };
};

/** STATFS and GETVERSION go to the end of symlinks; GETVERSION of a special file makes the reference open it. */
const statfs: StepMaker = (source) => ({
  name: 'STATFS',
  bytes: requests.statfs(target(source, 'file', 'file', 'directory', 'symlink', 'fifo', 'device').path),
});

const getversion: StepMaker = (source) => {
  const { random, names, tree } = source;
  const node = tree.pick(random, 'file', 'file', 'directory', 'symlink');
  const path = node === undefined || random.chance(BAD_ARGUMENT) ? names.bad() : names.existing(node);
  return { name: 'GETVERSION', bytes: requests.getversion(path) };
};

const chmod: StepMaker = (source) => {
  const { random } = source;
  const { path, node } = target(source, 'file', 'directory', 'fifo', 'device');
  const mode = random.pick(random.chance(0.1) ? oddModes : modes);
  return { name: 'CHMOD', bytes: requests.chmod(path, node?.inode.kind === 'file' ? mode : notSticky(mode)) };
};

const chown: StepMaker = (source) => {
  const { random } = source;
  const ids = [0, 1000, 500, 65_534, 4_000_000_000, UNCHANGED, UNCHANGED];
  const owner = random.chance(0.5) ? random.pick(owners) : { uid: random.pick(ids), gid: random.pick(ids) };
  return { name: 'CHOWN', bytes: requests.chown(somewhere(source), owner) };
};

const truncate: StepMaker = (source) => {
  const lengths = [0, 1, 5, 4_096, 100_000, 2 ** 31, 2 ** 32 + 1, 2 ** 40, 2n ** 44n - 4_096n];
  const impossible = [-1, -(2n ** 63n), 2n ** 63n - 1n, 2n ** 44n, 2n ** 62n];
  const { random } = source;
  const length = random.pick(random.chance(0.1) ? impossible : lengths);
  return { name: 'TRUNCATE', bytes: requests.truncate(target(source, 'file').path, length) };
};

const utime: StepMaker = (source) => {
  const { random } = source;
  // All far from the hours in which the test runs: a time near now counts as "now" in the comparison.
  const seconds = [
    0n,
    1n,
    1_000_000_000n,
    2n ** 31n - 1n,
    2n ** 31n,
    2n ** 33n,
    -1n,
    -(2n ** 31n),
    2n ** 40n,
    -(2n ** 62n),
  ];
  const nanoseconds = [0n, 1n, 999_999_999n, 123_456_789n, UTIME_NOW, UTIME_NOW, UTIME_OMIT, UTIME_OMIT];
  const impossible = [1_000_000_000n, -1n, 2n ** 62n];
  const time = (): readonly [bigint, bigint] => [
    random.pick(seconds),
    random.pick(random.chance(0.05) ? impossible : nanoseconds),
  ];
  return { name: 'UTIME', bytes: requests.utime(somewhere(source), time(), time()) };
};

const userNames = [
  'user.a',
  'user.b',
  'user.c',
  'user.mime_type',
  `user.${'n'.repeat(250)}`,
  'user.\xff\xfe',
  'user.x y',
];
const ACL = 'system.posix_acl_access';
const DEFAULT_ACL = 'system.posix_acl_default';
const oddNames = [
  'trusted.a',
  'security.a',
  'security.selinux',
  'security.capability',
  'system.other',
  'nothing',
  'user.',
  '',
  `user.${'n'.repeat(251)}`,
  'n'.repeat(5_000),
  'os2.a',
];

function attribute({ random }: Source, node: Node | undefined): string {
  const choice = random.below(100);
  if (choice < 80) return random.pick(userNames);
  if (choice < 90) return node?.inode.kind === 'directory' && random.chance(0.6) ? DEFAULT_ACL : ACL;
  return random.pick(oddNames);
}

/** The kernel's form of a POSIX ACL: version 2, then tag, permissions and id of each entry. */
function acl({ random }: Source): Buffer {
  const NOBODY = 0xffff_ffff;
  const entries: [tag: number, permissions: number, id: number][] = [
    [0x01, random.below(8), NOBODY],
    [0x02, random.below(8), random.pick([0, 1000, 500])],
    [0x04, random.below(8), NOBODY],
    [0x10, random.below(8), NOBODY],
    [0x20, random.below(8), NOBODY],
  ];
  if (random.chance(0.3)) entries.splice(1, 1);
  if (random.chance(0.1)) entries.pop();
  const bytes = Buffer.alloc(4 + entries.length * 8);
  bytes.writeUInt32LE(2);
  entries.forEach(([tag, permissions, id], index) => {
    bytes.writeUInt16LE(tag, 4 + index * 8);
    bytes.writeUInt16LE(permissions, 6 + index * 8);
    bytes.writeUInt32LE(id, 8 + index * 8);
  });
  return bytes;
}

const name = (text: string): Buffer => Buffer.from(text, 'latin1');

/** A target and a name, more often than not one the target has. */
function present(source: Source): {
  path: Buffer;
  attribute: string;
  inode: Inode | undefined;
  length: number;
} {
  const { random } = source;
  let found = target(source, 'file', 'directory');
  for (let tries = 0; tries < 6 && found.node?.inode.xattrs.size === 0; tries++) {
    found = target(source, 'file', 'file', 'directory');
  }
  const inode = found.node?.inode;
  const known = [...(inode?.xattrs.keys() ?? [])];
  const chosen = known.length > 0 && random.chance(0.9) ? random.pick(known) : attribute(source, found.node);
  return { path: found.path, attribute: chosen, inode, length: inode?.xattrs.get(chosen) ?? 10 };
}

const lgetxattr: StepMaker = (source) => {
  const { path, attribute: chosen, length } = present(source);
  const sizes = [0, 0, length, length, length + 1, 4_096, 65_535, 65_536, Math.max(length - 1, 1)];
  return { name: 'LGETXATTR', bytes: requests.lgetxattr(source.random.pick(sizes), path, name(chosen)) };
};

const llistxattr: StepMaker = (source) => ({
  name: 'LLISTXATTR',
  bytes: requests.llistxattr(
    source.random.pick([0, 0, 1, 20, 1_000, 4_096, 65_535, 65_536]),
    somewhere(source),
  ),
});

const lsetxattr: StepMaker = (source) => {
  const { random } = source;
  const { path, node } = target(source, 'file', 'file', 'directory');
  const inode = node?.inode;
  const chosen = attribute(source, node);
  const length = random.pick([0, 1, 5, 20, 100, 500, 3_000, 5_000, 50_000]);
  const value = chosen.startsWith('system.') && random.chance(0.95) ? acl(source) : random.bytes(length);
  const has = inode?.xattrs.has(chosen) === true;
  const flags = random.chance(0.8)
    ? random.pick([0, 0, has ? 2 : 1])
    : random.pick([1, 2, 3, 4, 0xffff_ffff]);
  return {
    name: 'LSETXATTR',
    bytes: requests.lsetxattr(path, name(chosen), value, flags),
    succeeded: () => inode?.xattrs.set(chosen, value.length),
  };
};

const lremovexattr: StepMaker = (source) => {
  const { path, attribute: chosen, inode } = present(source);
  return {
    name: 'LREMOVEXATTR',
    bytes: requests.lremovexattr(path, name(chosen)),
    succeeded: () => inode?.xattrs.delete(chosen),
  };
};

export const attributeSteps: readonly (readonly [weight: (source: Source) => number, make: StepMaker])[] = [
  [() => 8, lstat],
  [() => 5, readlink],
  [() => 3, statfs],
  [() => 4, getversion],
  [() => 6, chmod],
  [() => 6, chown],
  [() => 5, truncate],
  [() => 5, utime],
  [() => 6, lgetxattr],
  [() => 4, llistxattr],
  [() => 12, lsetxattr],
  [() => 4, lremovexattr],
];
