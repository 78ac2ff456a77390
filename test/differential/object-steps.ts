/** Requests that open, make, move and remove objects. */
import { constants } from 'node:fs';
import { type Owner, type RequestName, requests } from '../../harness/requests.js';
import { SPECIAL_PREFIX } from './names.js';
import { BAD_ARGUMENT, type Source, type StepMaker } from './step.js';
import { type Inode, type Kind, newInode, type Node } from './tree-model.js';

const {
  O_CREAT,
  O_EXCL,
  O_TRUNC,
  O_APPEND,

  O_DIRECTORY,
  O_NOFOLLOW,
  O_SYNC,
  O_DSYNC,
  O_NOATIME,
} = constants;
const { S_IFREG, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFDIR, S_IFLNK } = constants;
const O_LARGEFILE = 0o100000;
const O_DIRECT = 0o40000;
const ACCESS_MODES = [constants.O_RDONLY, constants.O_WRONLY, constants.O_RDWR] as const;

/** Above this many objects, more is removed than made. */
const CROWD = 500;

// Not here: uid 0 with another gid, and ids of -1. The reference loses its capabilities over them and dies at the next
// such request (see differences.ts).
const owners: readonly Owner[] = [
  { uid: 0, gid: 0 },
  { uid: 1000, gid: 1000 },
  { uid: 1000, gid: 500 },
  { uid: 500, gid: 500 },
  { uid: 65_534, gid: 65_534 },
  { uid: 1000, gid: 0 },
  { uid: 4_000_000_000, gid: 4_000_000_001 },
];

const modes = [
  0o644, 0o755, 0o600, 0o777, 0o666, 0o400, 0, 0o4755, 0o2755, 0o2644, 0o1777, 0o6711, 0o100_644, 0o7777,
];
const oddModes = [0o177_777, 0xffff_ffff, 0o10_644, 0x8000_0000, 0o40_755];

const isSpecial = (kind: Kind): boolean => kind === 'fifo' || kind === 'device';

const mode = ({ random }: Source): number => random.pick(random.chance(0.1) ? oddModes : modes);

/**
 * Without the sticky bit, for directories: in a sticky one the kernel decides by fs.protected_regular and its like,
 * which differ between machines, and only for an open that may create (ours then opens without creating).
 */
export const notSticky = (bits: number): number => (bits & ~0o1000) >>> 0;

/** Flags a 9p client can send; ours drops all others (see differences.ts). */
function openFlags({ random }: Source): number {
  let flags: number = random.pick(ACCESS_MODES);
  if (random.chance(0.7)) flags |= O_LARGEFILE; // what a Linux guest always sends
  if (random.chance(0.1)) flags |= O_TRUNC;
  if (random.chance(0.1)) flags |= O_APPEND;
  if (random.chance(0.1)) flags |= random.pick([O_SYNC, O_DSYNC, O_NOATIME, O_DIRECT]);
  if (random.chance(0.1)) flags |= O_NOFOLLOW;
  if (random.chance(0.03)) flags = random.pick([O_DIRECTORY, 3]);
  return flags >>> 0;
}

/**
 * A special file is only opened plainly and for both: a fifo opened for one direction blocks the reference until the
 * other end comes, and with odder flags it refuses before it looks at the type, with another error.
 */
const harmless = (flags: number, node: Node): number =>
  isSpecial(node.inode.kind) ? constants.O_RDWR | (flags & (O_CREAT | O_EXCL)) : flags;

function somewhere({ random, names, tree }: Source): Buffer {
  if (random.chance(BAD_ARGUMENT)) return names.bad();
  const node = tree.pickAny(random);
  return node === undefined ? names.bad() : names.existing(node);
}

interface Place {
  readonly parent: Node;
  readonly name: string;
  readonly path: Buffer;
}

/** Where a new object goes: usually a fresh name in a directory. */
function newPlace({ random, names, tree }: Source, prefix = ''): Place {
  const deep = random.chance(0.15);
  let parent = deep ? tree.pickDeepDirectory(random) : tree.pickDirectory(random);
  // Without a limit nothing would fit into a path in the end.
  while (tree.pathOf(parent).length > 3_500 && parent.parent !== undefined) parent = parent.parent;
  const name = deep ? names.long(prefix) : names.fresh(prefix);
  return { parent, name, path: names.inside(parent, name) };
}

function making(
  source: Source,
  name: RequestName,
  kind: Kind,
  request: (path: Buffer, place: Place) => Buffer,
  inode: () => Inode = () => newInode(kind),
): ReturnType<StepMaker> {
  const place = newPlace(source, isSpecial(kind) ? SPECIAL_PREFIX : '');
  if (source.random.chance(BAD_ARGUMENT)) return { name, bytes: request(source.names.hopeless(), place) };
  return {
    name,
    bytes: request(place.path, place),
    succeeded: () => {
      source.tree.add(place.parent, place.name, inode());
    },
  };
}

const open: StepMaker = (source) => {
  const { random, names, tree } = source;
  const node = random.chance(0.1)
    ? tree.pickAny(random)
    : tree.pick(random, 'file', 'file', 'file', 'directory', 'symlink');
  const flags = openFlags(source);
  if (node === undefined || random.chance(BAD_ARGUMENT)) {
    return { name: 'OPEN', bytes: requests.open(names.bad(), flags) };
  }
  const directory = node.inode.kind === 'directory' && random.chance(0.9);
  const chosen = directory
    ? O_DIRECTORY | O_LARGEFILE | (random.chance(0.2) ? O_NOATIME : 0)
    : harmless(flags, node);
  return { name: 'OPEN', bytes: requests.open(names.existing(node), chosen) };
};

const create: StepMaker = (source) => {
  const { random, names, tree } = source;
  const owner = random.pick(owners);
  // Not with O_DIRECTORY: what the kernel makes of the two together depends on its version. Nor with O_NOATIME: ours
  // opens somebody else's file without it.
  const flags =
    (openFlags(source) & ~(O_DIRECTORY | O_NOATIME)) | O_CREAT | (random.chance(0.3) ? O_EXCL : 0);
  if (random.chance(0.75)) {
    // Where there is something already, only exclusively: through a dangling symlink is a deliberate difference, and
    // an existing file is the other case.
    return making(source, 'CREATE', 'file', (path, { parent, name }) =>
      requests.create(path, parent.children.has(name) ? flags | O_EXCL : flags, mode(source), owner),
    );
  }
  // An existing object. Not a symlink unless O_EXCL: creating through a dangling one is a deliberate difference.
  const node = random.chance(0.2) ? tree.pickAny(random) : tree.pick(random, 'file');
  if (node === undefined) {
    return { name: 'CREATE', bytes: requests.create(names.hopeless(), flags, mode(source), owner) };
  }
  const exclusive = node.inode.kind === 'symlink' ? O_EXCL : 0;
  const bytes = requests.create(names.existing(node), harmless(flags, node) | exclusive, mode(source), owner);
  return { name: 'CREATE', bytes };
};

const mknod: StepMaker = (source) => {
  const { random } = source;
  const owner = random.pick(owners);
  const rdev = random.pick([0, 0x103, 0x105, 0xfa63, 0xffff_ffff, 0x1_0000_0000, -1]);
  const permissions = mode(source) & 0o7777;
  const choice = random.below(100);
  if (choice < 40) {
    return making(source, 'MKNOD', 'fifo', (path) =>
      requests.mknod(owner, path, permissions | S_IFIFO, rdev),
    );
  }
  if (choice < 60) {
    const type = random.pick([S_IFREG, S_IFREG, 0]);
    return making(source, 'MKNOD', 'file', (path) => requests.mknod(owner, path, permissions | type, rdev));
  }
  const device = random.pick([S_IFCHR, S_IFBLK, S_IFSOCK, S_IFSOCK]);
  const type = random.chance(0.1) ? random.pick([S_IFDIR, S_IFLNK, 0o170_000]) : device;
  // Only root makes devices. Their drivers do no harm when the reference really opens them: null, zero, and none.
  const maker = device === S_IFSOCK || random.chance(0.3) ? owner : { uid: 0, gid: 0 };
  return making(source, 'MKNOD', 'device', (path) =>
    requests.mknod(
      maker,
      path,
      permissions | type,
      random.chance(0.8) ? random.pick([0x103, 0x105, 0xfa63]) : rdev,
    ),
  );
};

const mkdir: StepMaker = (source) =>
  making(source, 'MKDIR', 'directory', (path) =>
    requests.mkdir(source.random.pick(owners), path, notSticky(mode(source))),
  );

const symlink: StepMaker = (source) => {
  let target = '';
  return making(
    source,
    'SYMLINK',
    'symlink',
    (path, { parent, name }) => {
      target = source.names.target(parent, name);
      return requests.symlink(source.random.pick(owners), Buffer.from(target, 'latin1'), path);
    },
    () => newInode('symlink', target),
  );
};

const link: StepMaker = (source) => {
  const { random, names, tree } = source;
  const node = random.chance(0.05)
    ? tree.pickAny(random)
    : tree.pick(random, 'file', 'file', 'symlink', 'fifo', 'device');
  if (node === undefined || random.chance(BAD_ARGUMENT)) {
    return { name: 'LINK', bytes: requests.link(names.hopeless(), newPlace(source).path) };
  }
  const { kind } = node.inode;
  return making(
    source,
    'LINK',
    kind,
    (path) => requests.link(names.existing(node), path),
    () => node.inode,
  );
};

const rename: StepMaker = (source) => {
  const { random, names, tree } = source;
  const node = tree.pickAny(random);
  if (node === undefined || random.chance(BAD_ARGUMENT)) {
    const paths = [names.hopeless(), newPlace(source).path] as const;
    return {
      name: 'RENAME',
      bytes: random.chance(0.5) ? requests.rename(...paths) : requests.rename(paths[1], paths[0]),
    };
  }
  const special = isSpecial(node.inode.kind);
  // Onto something that exists: often of the same kind, so that it works.
  const onto = random.chance(0.3)
    ? tree.pick(random, random.chance(0.7) ? node.inode.kind : 'file')
    : undefined;
  const place =
    onto?.parent !== undefined && isSpecial(onto.inode.kind) === special
      ? { parent: onto.parent, name: onto.name, path: names.existing(onto) }
      : newPlace(source, special ? SPECIAL_PREFIX : '');
  const inside = tree.isInside(place.parent, node);
  return {
    name: 'RENAME',
    bytes: requests.rename(names.existing(node), place.path),
    succeeded: () => {
      if (!inside) tree.move(node, place.parent, place.name);
    },
  };
};

const remove: StepMaker = (source) => {
  const { random, names, tree } = source;
  const node = random.chance(0.1) ? tree.pickAny(random) : tree.pickRemovable(random);
  if (node === undefined || random.chance(BAD_ARGUMENT)) {
    return { name: 'REMOVE', bytes: requests.remove(names.bad()) };
  }
  return {
    name: 'REMOVE',
    bytes: requests.remove(names.existing(node)),
    succeeded: () => {
      tree.remove(node);
    },
  };
};

/** How often each is drawn; removing depends on how full the tree is. */
export const objectSteps: readonly (readonly [weight: (source: Source) => number, make: StepMaker])[] = [
  [() => 8, open],
  [() => 8, create],
  [() => 6, mknod],
  [() => 7, mkdir],
  [() => 5, symlink],
  [() => 5, link],
  [() => 8, rename],
  [({ tree }) => (tree.size > CROWD ? 45 : 8), remove],
];

export { owners, modes, oddModes, somewhere };
