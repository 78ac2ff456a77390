import type { Node } from '../../differential/tree-model.js';
import { someName, type Source } from './source.js';

/** How often an argument is one with which the request cannot succeed. */
export const BAD = 0.08;

/** Where something is made: a fid of a directory, and a name. Nothing is there, or what is no symbolic link. */
export interface Place {
  readonly fid: number;
  readonly parent: Node;
  readonly name: string;
  readonly before: Node | undefined;
  readonly path: string;
}

export function place(source: Source): Place | undefined {
  const { random, tree } = source;
  const found = random.chance(0.3) ? ([1, { node: tree.root }] as const) : source.unopened('directory');
  if (found === undefined) return undefined;
  const [fid, { node: parent }] = found;
  const name = random.chance(BAD) ? 'n'.repeat(random.pick([256, 5_000])) : someName(source);
  const before = parent.children.get(name);
  if (before !== undefined && before.inode.kind !== 'file' && before.inode.kind !== 'directory')
    return undefined;
  // without a limit nothing would fit into a path in the end
  if (tree.pathOf(parent).length + name.length > 2_000) return undefined;
  return { fid, parent, name, before, path: `${tree.pathOf(parent)}/${name}` };
}

export const aboutPlace = ({ name, before }: Place): string =>
  name.length > 255 ? 'too long a name' : before === undefined ? 'new' : before.inode.kind;
