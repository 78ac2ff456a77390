import * as errno from '../../abi/errno.js';
import { AT_FDCWD, close, O_PATH, openat, S_IFDIR, S_IFMT, S_IFREG } from '../../syscalls/files.js';
import { cString } from '../../syscalls/memory.js';
import { MountTable } from '../../syscalls/mount-table.js';
import { openFlags } from '../../syscalls/process.js';
import { FileStatus, mountIdAndType, mountNumberAndType } from '../../syscalls/status.js';
import { OwnDescriptors } from './own-descriptors.js';

const TABLE = cString('/proc/self/mountinfo');

/**
 * Tells which descriptors of a client's are those of the export.
 *
 * The export is a mount that is in no namespace but the helper's own, and so is all that is mounted in it. So nobody has a
 * descriptor of these but those to whom the helper gave one, and those who opened something in a directory that it gave.
 * The export's own mount lives as long as the helper, and no other one gets its id meanwhile. Nor does any get those that
 * the export had in helpers before, which who started this one sees to.
 *
 * Other mounts come and go, and the kernel gives the id of one that has gone to another one, perhaps of the host's. But a
 * descriptor keeps its mount, and with it the id. So a table of our mounts that is read while the descriptor is open tells
 * whether its mount is one of them. One that was read before does so, too, while the kernel says that nothing has changed:
 * an id is free only after that.
 *
 * Where the export has no mount of its own nothing tells its files from the host's: anybody can have an O_PATH descriptor of
 * a file that he may not open, on the same device and on the same mount, and a file that has no name any more is beneath
 * no directory. So no descriptor is taken there.
 */
export class ExportMounts {
  readonly #id: number;
  readonly #status = new FileStatus();
  readonly #own: OwnDescriptors;
  readonly #former: ReadonlySet<number>;
  /** An O_PATH descriptor of the file that tells our mounts. */
  readonly #file: number;
  #table: MountTable | undefined;
  /** The mounts that may be used, as the table was read last. */
  #known: ReadonlySet<number> = new Set();

  /**
   * @param directory a descriptor of the export; undefined where that has no mount of its own
   * @param ownDescriptors an O_PATH descriptor of the process's own descriptors
   * @param former numbers of mounts that the export had in helpers before
   */
  constructor(directory: number | undefined, ownDescriptors: number, former: readonly number[]) {
    this.#former = new Set(former);
    this.#id = directory === undefined ? 0 : Math.max(mountIdAndType(directory, this.#status), 0);
    this.#own = new OwnDescriptors(ownDescriptors);
    this.#file = this.isKnown ? openat(AT_FDCWD, TABLE, O_PATH, 0) : -1;
  }

  /** Whether any descriptor can be told to be one of the export. */
  get isKnown(): boolean {
    return this.#id > 0;
  }

  /**
   * Looks at a descriptor without asking the file system that it is of.
   *
   * @returns 0; -EBADF for what is no regular file or directory of the export, open for more than O_PATH; -EOPNOTSUPP
   */
  check(descriptor: number): number {
    if (!this.isKnown) return -errno.EOPNOTSUPP;
    const id = mountIdAndType(descriptor, this.#status);
    const isOurs = id === this.#id || (id > 0 && this.#isInside(id)) || this.#isFormer(descriptor);
    if (!isOurs) return -errno.EBADF;
    const type = this.#status.mode & S_IFMT;
    if (type !== S_IFREG && type !== S_IFDIR) return -errno.EBADF;
    const flags = openFlags(descriptor);
    return flags < 0 || (flags & O_PATH) !== 0 ? -errno.EBADF : 0;
  }

  #isFormer(descriptor: number): boolean {
    return this.#former.size > 0 && this.#former.has(mountNumberAndType(descriptor, this.#status));
  }

  /** Whether a mount, which something is open of, is one inside the export. */
  #isInside(id: number): boolean {
    const table = this.#table ?? this.#open();
    if (table?.hasChanged() !== false) this.#known = usable(table);
    return this.#known.has(id);
  }

  /** Not before the root is changed: the table has what the root of this moment leads to. */
  #open(): MountTable | undefined {
    const opened = openat(this.#own.directory, this.#own.name(this.#file), 0, 0);
    if (opened < 0) return undefined;
    close(this.#file);
    this.#table = new MountTable(opened);
    this.#known = usable(this.#table);
    return this.#table;
  }
}

/** Files of a procfs are not opened by their path either. */
function usable(table: MountTable | undefined): ReadonlySet<number> {
  const mounts = table?.read() ?? [];
  return new Set(mounts.filter(({ fileSystem }) => fileSystem !== 'proc').map(({ id }) => id));
}
