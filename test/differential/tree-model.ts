/**
 * What the generator believes is in the tree, so that most of its requests name something that exists. It learns from
 * the answers; where it is wrong, requests fail more often and nothing else.
 */
import type { Random } from '../../harness/random.js';

export type Kind = 'directory' | 'file' | 'symlink' | 'fifo' | 'device';

/** What hard links share. */
export interface Inode {
  readonly kind: Kind;
  readonly target: string;
  readonly xattrs: Map<string, number>;
}

export interface Node {
  readonly inode: Inode;
  readonly children: Map<string, Node>;
  /** latin1: one character per byte. */
  name: string;
  parent: Node | undefined;
  place: number;
}

export const newInode = (kind: Kind, target = ''): Inode => ({ kind, target, xattrs: new Map() });

const newNode = (inode: Inode, name: string, parent: Node | undefined): Node => ({
  inode,
  children: new Map(),
  name,
  parent,
  place: -1,
});

export class TreeModel {
  readonly root = newNode(newInode('directory'), '', undefined);
  readonly #byKind: Record<Kind, Node[]> = { directory: [], file: [], symlink: [], fifo: [], device: [] };
  size = 0;

  /** The path from the export's root, latin1; the root's is empty. */
  pathOf(node: Node): string {
    let path = '';
    for (let at = node; at.parent !== undefined; at = at.parent) path = `/${at.name}${path}`;
    return path;
  }

  /** The directory at a path as `pathOf` writes it, without symlinks on the way. */
  findDirectory(path: string): Node | undefined {
    let node: Node | undefined = this.root;
    for (const name of path === '/' ? [] : path.slice(1).split('/')) node = node?.children.get(name);
    return node?.inode.kind === 'directory' ? node : undefined;
  }

  pick(random: Random, ...kinds: readonly Kind[]): Node | undefined {
    const first = this.#byKind[random.pick(kinds)];
    const nodes =
      first.length > 0 ? first : kinds.map((kind) => this.#byKind[kind]).find(({ length }) => length > 0);
    return nodes === undefined ? undefined : random.pick(nodes);
  }

  pickAny(random: Random): Node | undefined {
    return this.pick(random, 'file', 'file', 'directory', 'directory', 'symlink', 'fifo', 'device');
  }

  pickDirectory(random: Random): Node {
    return random.chance(0.1) ? this.root : (this.pick(random, 'directory') ?? this.root);
  }

  /** A directory with a long path, so that the tree grows deep as well as wide. */
  pickDeepDirectory(random: Random): Node {
    let deepest = this.pickDirectory(random);
    for (let tries = 0; tries < 12; tries++) {
      const other = this.pickDirectory(random);
      if (this.pathOf(other).length > this.pathOf(deepest).length) deepest = other;
    }
    return deepest;
  }

  /** An object REMOVE can remove; every object is as likely as any other, so that the mixture of kinds stays. */
  pickRemovable(random: Random): Node | undefined {
    const kinds = Object.values(this.#byKind);
    for (let tries = 0; tries < 8 && this.size > 0; tries++) {
      let at = random.below(this.size);
      for (const nodes of kinds) {
        const node = nodes[at];
        if (node?.children.size === 0) return node;
        if (node !== undefined) break;
        at -= nodes.length;
      }
    }
    return undefined;
  }

  add(parent: Node, name: string, inode: Inode): void {
    const before = parent.children.get(name);
    if (before !== undefined) this.remove(before);
    const node = newNode(inode, name, parent);
    parent.children.set(name, node);
    const list = this.#byKind[inode.kind];
    node.place = list.push(node) - 1;
    this.size++;
  }

  remove(node: Node): void {
    for (const child of [...node.children.values()]) this.remove(child);
    node.parent?.children.delete(node.name);
    const list = this.#byKind[node.inode.kind];
    const last = list.pop()!;
    if (last !== node) {
      list[node.place] = last;
      last.place = node.place;
    }
    this.size--;
  }

  /** What rename(2) does: replaces what is there; two names of one object stay as they are. */
  move(node: Node, parent: Node, name: string): void {
    const before = parent.children.get(name);
    if (before?.inode === node.inode) return;
    if (before !== undefined) this.remove(before);
    node.parent?.children.delete(node.name);
    node.parent = parent;
    node.name = name;
    parent.children.set(name, node);
  }

  isInside(node: Node, ancestor: Node): boolean {
    for (let at: Node | undefined = node; at !== undefined; at = at.parent) if (at === ancestor) return true;
    return false;
  }

  depthOf(node: Node): number {
    let depth = 0;
    for (let at = node; at.parent !== undefined; at = at.parent) depth++;
    return depth;
  }
}
