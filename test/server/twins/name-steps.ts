/** Requests that move and remove. */
import type { Node } from '../../differential/tree-model.js';
import { aboutPlace, BAD, place, type Place } from './place.js';
import { badName, type HeldFid, type Source, type StepMaker } from './source.js';

const REMOVEDIR = 0x200;

export const remove: StepMaker = (source) => {
  const found = source.pick(({ node }) => node.parent !== undefined && node.children.size === 0);
  const isFull = ({ node }: HeldFid): boolean => node.parent !== undefined && node.children.size > 0;
  const full = source.random.chance(0.1) ? source.pick(isFull) : undefined;
  const [fid, { node }] = full ?? found ?? [0, { node: source.tree.root }];
  if (fid === 0) return undefined;
  return {
    name: 'Tremove',
    about: node.inode.kind,
    fids: [],
    run: (side) => side.answer('Tremove', { fid }),
    succeeded: () => {
      source.held.delete(fid);
      source.dropAt(node);
      source.tree.remove(node);
    },
    failed: () => {
      source.held.delete(fid);
    },
  };
};

/** By name, as Linux does it; with Twalk and Tremove where the server has no Tunlinkat. */
export const unlink: StepMaker = (source) => {
  const { random, tree } = source;
  const found = random.chance(0.3) ? ([1, { node: tree.root }] as const) : source.unopened('directory');
  if (found === undefined) return undefined;
  const [dirfd, { node: parent }] = found;
  const node = parent.children.size === 0 ? undefined : random.pick([...parent.children.values()]);
  const name = node === undefined || random.chance(BAD) ? badName(source) : node.name;
  const gone = node?.name === name ? node : undefined;
  const flags = gone?.inode.kind === 'directory' ? REMOVEDIR : 0;
  const fid = source.freeFid();
  return {
    name: 'Tunlinkat',
    about: gone?.inode.kind ?? 'what is missing',
    fids: [],
    run: (side) => {
      if (side.hasNames) return side.answer('Tunlinkat', { dirfd, name, flags });
      const found = side.answer('Twalk', { fid: dirfd, newfid: fid, names: [name] });
      return found === 'ok' ? side.answer('Tremove', { fid }) : found;
    },
    succeeded: () => {
      if (gone === undefined) return;
      source.dropAt(gone);
      tree.remove(gone);
    },
  };
};

/** Forgets what diod cannot follow: fids are paths. */
function moved(source: Source, node: Node, at: Place, fid?: number): void {
  if (at.before?.inode === node.inode) {
    // two names of one file stay, but diod's fid goes to the other one
    if (fid !== undefined) source.drop(fid);
    return;
  }
  source.dropAt(at.before, fid);
  source.dropAt(node, fid);
  source.tree.move(node, at.parent, at.name);
}

export const rename: StepMaker = (source) => {
  // an open one is the end of diod
  const found = source.pick(({ node, access }) => node.parent !== undefined && access === undefined);
  const at = place(source);
  if (found === undefined || at === undefined) return undefined;
  const [fid, { node }] = found;
  return {
    name: 'Trename',
    about: `${node.inode.kind} to ${aboutPlace(at)}`,
    fids: [fid],
    run: (side) => side.answer('Trename', { fid, dfid: at.fid, name: at.name }),
    succeeded: () => {
      moved(source, node, at, fid);
    },
  };
};

/** By names, as Linux does it; with Twalk and Trename where the server has no Trenameat. */
export const renameAt: StepMaker = (source) => {
  const { random, tree } = source;
  const from = random.chance(0.3) ? ([1, { node: tree.root }] as const) : source.unopened('directory');
  const at = place(source);
  if (from === undefined || at === undefined) return undefined;
  const [olddirfid, { node: parent }] = from;
  const node = parent.children.size === 0 ? undefined : random.pick([...parent.children.values()]);
  if (node === undefined) return undefined;
  const fid = source.freeFid();
  return {
    name: 'Trenameat',
    about: `${node.inode.kind} to ${aboutPlace(at)}`,
    fids: [],
    run: (side) => {
      const names = { olddirfid, oldname: node.name, newdirfid: at.fid, newname: at.name };
      if (side.hasNames) return side.answer('Trenameat', names);
      const found = side.answer('Twalk', { fid: olddirfid, newfid: fid, names: [node.name] });
      if (found !== 'ok') return found;
      const answer = side.answer('Trename', { fid, dfid: at.fid, name: at.name });
      side.ask('Tclunk', { fid });
      return answer;
    },
    succeeded: () => {
      moved(source, node, at);
    },
  };
};
