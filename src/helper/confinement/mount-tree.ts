import { type Mount, pathBelow } from '../../syscalls/mount-table.js';

/** The mounts in a directory, as one table of mounts has them. */
export class MountTree {
  readonly root: number;
  readonly #mounts: readonly Mount[];

  /**
   * @param table all mounts
   * @param root the id of the mount that the directory is on
   * @param path the directory's path in the table
   */
  constructor(table: readonly Mount[], root: number, path: string) {
    this.root = root;
    this.#mounts = table.flatMap((mount) => {
      const below = pathBelow(path, mount);
      return below === undefined || mount.id === root ? [] : [{ ...mount, path: below }];
    });
  }

  /** What is mounted on a mount, in the directory. A mount upon another one has its path. */
  on(parent: number): readonly Mount[] {
    // what is mounted on the directory itself hides it, and is not in it
    return this.#mounts.filter((mount) => mount.parent === parent && mount.path !== '');
  }

  get(identity: string): Mount | undefined {
    return this.#mounts.find((mount) => mount.identity === identity);
  }

  byId(id: number): Mount | undefined {
    return this.#mounts.find((mount) => mount.id === id);
  }
}

/** Which mounts of a copy of a tree are those of which; the lower ones first. */
export interface Pairing {
  readonly pairs: readonly { readonly original: Mount; readonly copy: Mount }[];
  /** Copies of what is not in the tree. */
  readonly left: readonly Mount[];
}

/** Finds out what in a copy of a tree, which was made some time ago, is still as it is there. */
export function pair(tree: MountTree, copied: MountTree): Pairing {
  const pairs: { original: Mount; copy: Mount }[] = [];
  const left: Mount[] = [];
  const visit = (original: number | undefined, copy: number): void => {
    const originals = original === undefined ? [] : tree.on(original);
    for (const mount of copied.on(copy)) {
      const same = originals.find(
        ({ path, source, fileSystem }) =>
          path === mount.path && source === mount.source && fileSystem === mount.fileSystem,
      );
      if (same === undefined) left.push(mount);
      else pairs.push({ original: same, copy: mount });
      visit(same?.id, mount.id);
    }
  };
  visit(tree.root, copied.root);
  return { pairs, left };
}
