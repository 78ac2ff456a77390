import * as errno from '../../abi/errno.js';
import { O_PATH, S_IFDIR, S_IFMT, S_IFREG } from '../../syscalls/files.js';
import { openFlags } from '../../syscalls/process.js';
import { FileStatus, mountIdAndType } from '../../syscalls/status.js';

/**
 * Tells which descriptors of a client's are those of the export.
 *
 * The export is a mount that is in no namespace but the helper's own, so that nobody has a descriptor of it but those to
 * whom the helper gave one, and those who opened something in a directory that it gave. The mount lives as long as the
 * helper, and no other one gets its id meanwhile.
 *
 * Where the export has no mount of its own nothing tells its files from the host's: anybody can have an O_PATH descriptor of
 * a file that he may not open, on the same device and on the same mount, and a file that has no name any more is beneath
 * no directory. So no descriptor is taken there.
 */
export class ExportMount {
  readonly #id: number;
  readonly #status = new FileStatus();

  /** @param directory a descriptor of the export; undefined where that has no mount of its own */
  constructor(directory: number | undefined) {
    this.#id = directory === undefined ? 0 : Math.max(mountIdAndType(directory, this.#status), 0);
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
    if (mountIdAndType(descriptor, this.#status) !== this.#id) return -errno.EBADF;
    const type = this.#status.mode & S_IFMT;
    if (type !== S_IFREG && type !== S_IFDIR) return -errno.EBADF;
    const flags = openFlags(descriptor);
    return flags < 0 || (flags & O_PATH) !== 0 ? -errno.EBADF : 0;
  }
}
