import * as errno from '../../abi/errno.js';
import { FileStatus } from '../../syscalls/status.js';
import { InodeNumbers } from './inode-numbers.js';
import type { Multidevs } from './model-names.js';

/**
 * What the guest sees of inodes that are not on the export's own device. To the guest an export is one file system, and
 * two inodes with one number are one file. The inodes of the export's own device always keep their numbers.
 */
export class Devices {
  private readonly major: number;
  private readonly minor: number;
  private readonly mode: Multidevs;
  readonly #numbers = new InodeNumbers();
  private readonly found: (mode: Multidevs, device: string) => void;
  #warned = false;

  /**
   * @param root the status of the export itself
   * @param found is told of every inode that was forbidden, and of the first of another device where they are not remapped
   */
  constructor({ words }: FileStatus, mode: Multidevs, found: (mode: Multidevs, device: string) => void) {
    this.major = words[FileStatus.DEV_MAJOR] ?? 0;
    this.minor = words[FileStatus.DEV_MINOR] ?? 0;
    this.mode = mode;
    this.found = found;
  }

  /** Makes the status of an inode what the guest may see. @returns 0 or -errno */
  show(status: FileStatus): number {
    const { words } = status;
    if (words[FileStatus.DEV_MINOR] === this.minor && words[FileStatus.DEV_MAJOR] === this.major) return 0;
    return this.#showOther(words);
  }

  #showOther(words: Uint32Array): number {
    if (this.mode === 'remap') {
      this.#numbers.replace(words);
      // QEMU compares it to that of the export, and warns of numbers that may collide
      words[FileStatus.DEV_MAJOR] = this.major;
      words[FileStatus.DEV_MINOR] = this.minor;
      return 0;
    }
    const forbidden = this.mode === 'forbid';
    if (forbidden || !this.#warned) {
      this.#warned = true;
      this.found(this.mode, `${words[FileStatus.DEV_MAJOR]}:${words[FileStatus.DEV_MINOR]}`);
    }
    return forbidden ? -errno.ENODEV : 0;
  }
}
