import type { Request } from '../../proxy-protocol/decoder.js';
import * as errno from '../../abi/errno.js';
import { O_ACCMODE, O_CREAT, O_EXCL, O_NOATIME, O_TRUNC } from '../../syscalls/files.js';
import type { Destination } from '../../syscalls/libc.js';
import type { FileStatus, FileSystemStatus } from '../../syscalls/status.js';
import type { SecurityModel } from './security-model.js';

/** Any security model without its changes: they are EROFS, as on a file system mounted read-only. */
export class ReadOnly implements SecurityModel {
  private readonly model: SecurityModel;
  private readonly refused: (request: string) => void;

  /** @param refused is told the name of every request that was refused */
  constructor(model: SecurityModel, refused: (request: string) => void) {
    this.model = model;
    this.refused = refused;
  }

  #refuse(request: string): number {
    this.refused(request);
    return -errno.EROFS;
  }

  open(request: Request<'open'>): number {
    if (changes(request.flags)) return this.#refuse('open');
    return this.model.open({ path: request.path, flags: request.flags | O_NOATIME });
  }

  create(request: Request<'create'>): number {
    // what is there may be opened, as open(2) does on a read-only file system
    if (changes(request.flags) || (request.flags & O_EXCL) !== 0) return this.#refuse('create');
    const opened = this.model.open({ path: request.path, flags: (request.flags & ~O_CREAT) | O_NOATIME });
    return opened === -errno.ENOENT ? this.#refuse('create') : opened;
  }

  lstat(request: Request<'lstat'>, status: FileStatus): number {
    return this.model.lstat(request, status);
  }

  readlink(request: Request<'readlink'>, target: Destination, size: number): number {
    return this.model.readlink(request, target, size);
  }

  statfs(request: Request<'statfs'>, status: FileSystemStatus): number {
    return this.model.statfs(request, status);
  }

  generation(request: Request<'getversion'>, generation: Int32Array, at: number): number {
    return this.model.generation(request, generation, at);
  }

  getxattr(request: Request<'lgetxattr'>, value: Destination, size: number): number {
    return this.model.getxattr(request, value, size);
  }

  listxattr(request: Request<'llistxattr'>, list: Destination, size: number): number {
    return this.model.listxattr(request, list, size);
  }

  readonly mknod = (): number => this.#refuse('mknod');
  readonly mkdir = (): number => this.#refuse('mkdir');
  readonly symlink = (): number => this.#refuse('symlink');
  readonly link = (): number => this.#refuse('link');
  readonly rename = (): number => this.#refuse('rename');
  readonly remove = (): number => this.#refuse('remove');
  readonly chmod = (): number => this.#refuse('chmod');
  readonly chown = (): number => this.#refuse('chown');
  readonly truncate = (): number => this.#refuse('truncate');
  readonly utime = (): number => this.#refuse('utime');
  readonly setxattr = (): number => this.#refuse('lsetxattr');
  readonly removexattr = (): number => this.#refuse('lremovexattr');
}

function changes(flags: number): boolean {
  return (flags & O_ACCMODE) !== 0 || (flags & O_TRUNC) !== 0;
}
