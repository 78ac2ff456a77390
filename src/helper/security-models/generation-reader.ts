import * as errno from '../../abi/errno.js';
import type { Pointer } from '../../syscalls/libc.js';
import { AT_SYMLINK_FOLLOW, FileHandle, nameToHandle } from '../../syscalls/status.js';

/** Magic numbers of the file systems whose generation QEMU's helper reports: `<linux/magic.h>`. */
const EXT = 0xef53;
const BTRFS = 0x9123683e;
const XFS = 0x58465342;

/** Handle types, `<linux/exportfs.h>` and fs/xfs/xfs_export.h. */
const FILEID_INO32_GEN = 1;
const FILEID_BTRFS_WITHOUT_PARENT = 0x4d;
const FILEID_INO64_GEN = 0x81;

/**
 * The generation number of an inode, which FS_IOC_GETVERSION tells of an open file. Here it is taken from the file
 * handle, in which the same file systems put the same number: one call, and no file is opened for it.
 */
export class GenerationReader {
  private readonly supported: boolean;
  private readonly flags: number;
  readonly #handle = new FileHandle();

  /**
   * @param fileSystem the magic number of the export's file system: statfs(2)
   * @param follow whether to follow a symbolic link at the end of a path
   */
  constructor(fileSystem: number, follow: boolean) {
    this.flags = follow ? AT_SYMLINK_FOLLOW : 0;
    this.supported = fileSystem === EXT || fileSystem === BTRFS || fileSystem === XFS;
  }

  /** Writes the generation, 0 where the file system has none. @returns 0 or -errno */
  read(path: Pointer, generation: Int32Array, at: number): number {
    generation[at] = 0;
    if (!this.supported) return 0;
    const failed = nameToHandle(path, this.#handle, this.flags);
    // another file system mounted inside the export may have no handles, or larger ones than anybody uses
    if (failed === -errno.EOPNOTSUPP || failed === -errno.EOVERFLOW) return 0;
    if (failed < 0) return failed;
    generation[at] = this.#fromHandle();
    return 0;
  }

  #fromHandle(): number {
    switch (this.#handle.type) {
      case FILEID_INO32_GEN: // inode, generation; tmpfs uses the type too, with three words and no such number
        return this.#handle.length === 8 ? this.#handle.word(1) : 0;
      case FILEID_INO64_GEN: // inode in two words, generation
        return this.#handle.word(2);
      case FILEID_BTRFS_WITHOUT_PARENT: // object and root in two words each, generation
        return this.#handle.word(4);
      default:
        return 0;
    }
  }
}
