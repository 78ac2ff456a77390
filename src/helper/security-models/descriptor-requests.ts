import type { PassedDescriptor } from '../paths/passed-descriptor.js';
import type { Request } from '../../proxy-protocol/decoder.js';
import type { ByteSpan } from '../../proxy-protocol/frame.js';
import type { Destination } from '../../syscalls/libc.js';
import type { FileStatus, FileSystemStatus } from '../../syscalls/status.js';
import type { SecurityModel } from './security-model.js';

/**
 * A security model whose requests can be about a descriptor, too: those with an empty path, if a descriptor came with
 * them. Only what concerns one inode can be: nothing is made, moved or removed without a path.
 */
export class DescriptorRequests implements SecurityModel {
  private readonly byPath: SecurityModel;
  private readonly byDescriptor: SecurityModel;
  private readonly passed: PassedDescriptor;

  /** @param byDescriptor the same model with a resolver of the descriptor that was passed */
  constructor(byPath: SecurityModel, byDescriptor: SecurityModel, passed: PassedDescriptor) {
    this.byPath = byPath;
    this.byDescriptor = byDescriptor;
    this.passed = passed;
  }

  #of(path: ByteSpan): SecurityModel {
    return path.length === 0 && this.passed.descriptor !== undefined ? this.byDescriptor : this.byPath;
  }

  open(request: Request<'open'>): number {
    return this.#of(request.path).open(request);
  }

  create(request: Request<'create'>): number {
    return this.byPath.create(request);
  }

  mknod(request: Request<'mknod'>): number {
    return this.byPath.mknod(request);
  }

  mkdir(request: Request<'mkdir'>): number {
    return this.byPath.mkdir(request);
  }

  symlink(request: Request<'symlink'>): number {
    return this.byPath.symlink(request);
  }

  link(request: Request<'link'>): number {
    return this.byPath.link(request);
  }

  rename(request: Request<'rename'>): number {
    return this.byPath.rename(request);
  }

  remove(request: Request<'remove'>): number {
    return this.byPath.remove(request);
  }

  lstat(request: Request<'lstat'>, status: FileStatus): number {
    return this.#of(request.path).lstat(request, status);
  }

  readlink(request: Request<'readlink'>, target: Destination, size: number): number {
    return this.byPath.readlink(request, target, size);
  }

  statfs(request: Request<'statfs'>, status: FileSystemStatus): number {
    return this.byPath.statfs(request, status);
  }

  generation(request: Request<'getversion'>, generation: Int32Array, at: number): number {
    return this.#of(request.path).generation(request, generation, at);
  }

  chmod(request: Request<'chmod'>): number {
    return this.#of(request.path).chmod(request);
  }

  chown(request: Request<'chown'>): number {
    return this.#of(request.path).chown(request);
  }

  truncate(request: Request<'truncate'>): number {
    return this.#of(request.path).truncate(request);
  }

  utime(request: Request<'utime'>): number {
    return this.#of(request.path).utime(request);
  }

  getxattr(request: Request<'lgetxattr'>, value: Destination, size: number): number {
    return this.#of(request.path).getxattr(request, value, size);
  }

  listxattr(request: Request<'llistxattr'>, list: Destination, size: number): number {
    return this.#of(request.path).listxattr(request, list, size);
  }

  setxattr(request: Request<'lsetxattr'>): number {
    return this.#of(request.path).setxattr(request);
  }

  removexattr(request: Request<'lremovexattr'>): number {
    return this.#of(request.path).removexattr(request);
  }
}
