/** Requests that find, open and make. */
import { type Inode, type Kind, newInode, type Node } from '../../differential/tree-model.js';
import { aboutPlace, BAD, place, type Place } from './place.js';
import { badName, type Source, type Step, type StepMaker } from './source.js';

export const MODES = [0o644, 0o755, 0o600, 0o777, 0o400, 0, 0o4755, 0o2755, 0o1777, 0o6711, 0o7777];
/** Without set-gid: of what is made there, ours takes the group that the client asks for, which Linux' knows the rule of. */
export const DIRECTORY_MODES = [0o755, 0o777, 0o700, 0o500, 0, 0o1777, 0o4755];
const GIDS = [0, 0, 1000, 65_534, 4_000_000_000];
const open = { CREATE: 0o100, EXCL: 0o200, TRUNC: 0o1000, APPEND: 0o2000, DIRECTORY: 0o200000 } as const;
const S_IF = { fifo: 0o010000, character: 0o020000, file: 0o100000 } as const;

export const walk: StepMaker = (source) => {
  const { random, tree, held } = source;
  const from = random.chance(0.3)
    ? ([1, { node: tree.root }] as const)
    : source.unopened('directory', 'directory', 'file', 'symlink');
  if (from === undefined) return undefined;
  const [fid, { node: start }] = from;
  const names: string[] = [];
  let node = start;
  for (let depth = random.below(5); depth > 0; depth--) {
    if (node.inode.kind !== 'directory') break;
    if (node.parent !== undefined && random.chance(0.1)) {
      node = node.parent;
      names.push('..');
      continue;
    }
    const child = node.children.size === 0 ? undefined : random.pick([...node.children.values()]);
    if (child === undefined) break;
    node = child;
    names.push(child.name);
  }
  // a symbolic link and a file are walked to, never through
  const isBad = random.chance(BAD) && node.inode.kind === 'directory';
  if (isBad) names.push(badName(source));
  const newfid = fid > 1 && !isBad && !names.includes('..') && random.chance(0.1) ? fid : source.freeFid();
  const paths: string[] = [];
  let at: Node = start;
  for (const name of names) {
    const next = name === '..' ? at.parent : at.children.get(name);
    if (next === undefined) break;
    at = next;
    paths.push(tree.pathOf(at));
  }
  return {
    name: 'Twalk',
    about: isBad
      ? `a name that is missing after ${names.length > 1 ? 'others' : 'nothing'}`
      : start.inode.kind,
    fids: [newfid],
    run: (side) =>
      side.answer(
        'Twalk',
        { fid, newfid, names },
        ({ qids }) =>
          `${qids.length}: ${qids.map((qid, index) => side.qid(qid, paths[index] ?? '')).join(', ')}`,
      ),
    succeeded: () => {
      // diod's fid is the path with its ..: lost when what it leads through is renamed
      if (isBad || names.includes('..')) source.drop(newfid);
      else held.set(newfid, { node });
    },
  };
};

const accesses = ['read', 'write', 'both'] as const;

function flagsOf({ random }: Source): { readonly access: (typeof accesses)[number]; readonly flags: number } {
  const mode = random.below(3);
  let flags = mode;
  if (random.chance(0.7)) flags |= 0o100000;
  // with RDWR ours leaves it out: Linux' client writes where the end is
  if (mode === 1 && random.chance(0.2)) flags |= open.APPEND;
  if (mode > 0 && random.chance(0.1)) flags |= open.TRUNC;
  return { access: accesses[mode]!, flags };
}

export const lopen: StepMaker = (source) => {
  const found = source.unopened('file', 'directory');
  if (found === undefined) return undefined;
  const [fid, { node }] = found;
  const isDirectory = node.inode.kind === 'directory';
  const { access, flags: drawn } = flagsOf(source);
  let flags = isDirectory && source.random.chance(0.9) ? open.DIRECTORY : drawn;
  if (source.random.chance(0.03)) flags |= open.DIRECTORY;
  return {
    name: 'Tlopen',
    about: `${node.inode.kind} with ${flags.toString(8)}`,
    fids: [fid],
    run: (side) =>
      side.answer('Tlopen', { fid, flags }, ({ qid }) => side.qid(qid, source.tree.pathOf(node))),
    succeeded: () => {
      source.held.set(fid, { node, access: isDirectory ? 'directory' : access });
    },
  };
};

export const lcreate: StepMaker = (source) => {
  const { random, tree, held } = source;
  const at = place(source);
  if (at === undefined || at.fid === 1) return undefined;
  const { fid, parent, name, before, path } = at;
  const { access, flags: drawn } = flagsOf(source);
  const flags = drawn | open.CREATE | (random.chance(0.5) ? open.EXCL : 0);
  // for another group ours acts without the right to keep the set-id bits of what it empties
  const empties = (flags & open.TRUNC) !== 0 && before !== undefined;
  const [mode, gid] = [random.pick(MODES), empties ? 0 : random.pick(GIDS)];
  return {
    name: 'Tlcreate',
    about: aboutPlace(at),
    fids: [fid],
    run: (side) => side.answer('Tlcreate', { fid, name, flags, mode, gid }, ({ qid }) => side.qid(qid, path)),
    succeeded: () => {
      if (before === undefined) tree.add(parent, name, newInode('file'));
      held.set(fid, { node: parent.children.get(name)!, access });
    },
  };
};

function making(
  source: Source,
  name: 'Tmkdir' | 'Tsymlink' | 'Tmknod',
  inode: Inode,
  fields: (at: Place, gid: number) => object,
): Step | undefined {
  const at = place(source);
  if (at === undefined) return undefined;
  const gid = source.random.pick(GIDS);
  return {
    name,
    about: aboutPlace(at),
    fids: [],
    run: (side) =>
      side.answer(name, { dfid: at.fid, name: at.name, gid, ...fields(at, gid) } as never, (reply) =>
        side.qid((reply as { qid: Parameters<typeof side.qid>[0] }).qid, at.path),
      ),
    succeeded: () => {
      source.tree.add(at.parent, at.name, inode);
    },
  };
}

export const mkdir: StepMaker = (source) => {
  const mode = source.random.pick(DIRECTORY_MODES);
  return making(source, 'Tmkdir', newInode('directory'), () => ({ mode }));
};

export const symlink: StepMaker = (source) => {
  const target = source.random.pick(['a', '../b', '/etc/passwd', 't'.repeat(4_095), 't'.repeat(5_000), '']);
  return making(source, 'Tsymlink', newInode('symlink', target), () => ({ target }));
};

export const mknod: StepMaker = (source) => {
  const { random } = source;
  const type = random.pick(['fifo', 'character', 'file'] as const);
  const kind: Kind = type === 'character' ? 'device' : type;
  const [major, minor] = type === 'character' ? [random.below(300), random.below(70_000)] : [0, 0];
  // a device of root's loses its set-id bits to the change of its group
  const mode =
    S_IF[type] | random.pick(type === 'character' ? DIRECTORY_MODES.map((bits) => bits & 0o1777) : MODES);
  return making(source, 'Tmknod', newInode(kind), () => ({ mode, major, minor }));
};

export const link: StepMaker = (source) => {
  const { random, tree } = source;
  // not often of a directory, which has no other name
  const found = source.pick(({ node }) => node.inode.kind !== 'directory' || random.chance(0.05));
  const at = place(source);
  if (found === undefined || at === undefined) return undefined;
  const [fid, { node }] = found;
  return {
    name: 'Tlink',
    about: `${node.inode.kind} to ${aboutPlace(at)}`,
    fids: [],
    run: (side) => side.answer('Tlink', { dfid: at.fid, fid, name: at.name }),
    succeeded: () => {
      tree.add(at.parent, at.name, node.inode);
    },
  };
};
