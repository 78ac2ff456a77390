import * as errno from '../../abi/errno.js';
import { close } from '../../syscalls/files.js';
import { FileSystemStatus, fstatfs } from '../../syscalls/status.js';

const PROC_SUPER_MAGIC = 0x9fa0;

/** Files of a procfs are not opened, not even inside the export: `mem` is our own memory. */
export class ProcfsGuard {
  readonly #fileSystem = new FileSystemStatus();

  /** @returns an O_PATH descriptor, or -errno when it was one of a procfs and is closed */
  refuse(descriptor: number): number {
    const failed = fstatfs(descriptor, this.#fileSystem);
    if (failed >= 0 && this.#fileSystem.type !== PROC_SUPER_MAGIC) return descriptor;
    close(descriptor);
    return failed < 0 ? failed : -errno.EACCES;
  }
}
