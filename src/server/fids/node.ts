import * as errno from '../../abi/errno.js';

const SLASH = 0x2f;
/** The longest path that a request can carry: a 16-bit length. */
const MAX_PATH_BYTES = 65_534;
export const ROOT_PATH = Uint8Array.of(SLASH);

/** What tells a file from all others while it exists: as LSTAT shows it. */
export interface Identity {
  readonly device: number | bigint;
  readonly inode: number | bigint;
}

const keyOf = (name: Uint8Array): string => Buffer.from(name).toString('latin1');

/**
 * A place in the tree that the guest knows: a name in a directory. A fid refers to a node, so a directory that is renamed
 * takes along what is below it, and there is no path to be mended.
 *
 * A node lives as long as a fid, or a node below it, refers to it.
 */
export class Node {
  readonly #children = new Map<string, Node>();
  #parent: Node | undefined;
  #name: Uint8Array;
  #references = 0;
  #removed = false;
  identity: Identity;
  /** `st_mode` as it was seen last. */
  mode: number;

  private constructor(parent: Node | undefined, name: Uint8Array, identity: Identity, mode: number) {
    this.#parent = parent;
    this.#name = name;
    this.identity = identity;
    this.mode = mode;
  }

  static root(identity: Identity, mode: number): Node {
    return new Node(undefined, new Uint8Array(), identity, mode);
  }

  /** The directory it is in; that of the root is the root, so nothing leads out of it. */
  get parent(): Node {
    return this.#parent ?? this;
  }

  get name(): Uint8Array {
    return this.#name;
  }

  get isRoot(): boolean {
    return this.#parent === undefined;
  }

  /** Whether the guest removed what was here, or replaced it by something else: it has no path any more. */
  get isRemoved(): boolean {
    return this.#removed || (this.#parent?.isRemoved ?? false);
  }

  isSame(identity: Identity): boolean {
    // a bigint never equals a number by ===, and which one it is follows from the value alone
    return this.identity.inode === identity.inode && this.identity.device === identity.device;
  }

  /** The node of a name below, as far as the guest knows it. */
  known(name: Uint8Array): Node | undefined {
    return this.#children.get(keyOf(name));
  }

  /**
   * The node of a name in which that file was found just now. What the name meant before is something else, then. The
   * caller retains it, or one below it.
   */
  child(name: Uint8Array, identity: Identity, mode: number): Node {
    const key = keyOf(name);
    const known = this.#children.get(key);
    if (known?.isSame(identity) === true) {
      known.mode = mode;
      return known;
    }
    if (known !== undefined) this.forget(name);
    const node = new Node(this, Uint8Array.from(name), identity, mode);
    this.#children.set(key, node);
    return node;
  }

  /** The name leads nowhere, or to something else. Fids that refer to what it was keep doing so. */
  forget(name: Uint8Array): void {
    const key = keyOf(name);
    const node = this.#children.get(key);
    if (node === undefined) return;
    node.#removed = true;
    this.#children.delete(key);
  }

  /** A name was given to something else than the guest knows: a rename in one step. */
  moveChild(name: Uint8Array, directory: Node, newName: Uint8Array): void {
    const node = this.#children.get(keyOf(name));
    if (directory.known(newName) !== node) directory.forget(newName);
    if (node === undefined) return;
    this.#children.delete(keyOf(name));
    node.#parent = directory.retain();
    node.#name = Uint8Array.from(newName);
    directory.#children.set(keyOf(newName), node);
    this.release();
  }

  retain(): this {
    this.#references++;
    // the first reference keeps the way up to it
    if (this.#references === 1) this.#parent?.retain();
    return this;
  }

  release(): void {
    this.#references--;
    if (this.#references > 0) return;
    const parent = this.#parent;
    if (parent === undefined) return;
    if (!this.#removed) parent.#children.delete(keyOf(this.#name));
    parent.release();
  }

  /** The path inside the export, or -errno: ESTALE where there is none any more, ENAMETOOLONG. */
  path(): Uint8Array | number {
    return this.#pathOf(undefined);
  }

  /** The path of a name in this directory, or -errno. */
  pathOf(name: Uint8Array): Uint8Array | number {
    return this.#pathOf(name);
  }

  #pathOf(last: Uint8Array | undefined): Uint8Array | number {
    const names: Uint8Array[] = last === undefined ? [] : [last];
    let length = 0;
    const stale = this.#collect(names);
    if (stale < 0) return stale;
    for (const name of names) length += 1 + name.length;
    if (names.length === 0) return ROOT_PATH;
    if (length > MAX_PATH_BYTES) return -errno.ENAMETOOLONG;
    const path = new Uint8Array(length);
    let at = 0;
    for (const name of names.reverse()) {
      path[at] = SLASH;
      path.set(name, at + 1);
      at += 1 + name.length;
    }
    return path;
  }

  /** Appends the names from here up to the root. @returns 0, or -ESTALE */
  #collect(names: Uint8Array[]): number {
    if (this.#parent === undefined) return 0;
    if (this.#removed) return -errno.ESTALE;
    names.push(this.#name);
    return this.#parent.#collect(names);
  }
}
