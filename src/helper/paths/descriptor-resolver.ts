import * as errno from '../../abi/errno.js';
import { O_NOFOLLOW, O_PATH, openat } from '../../syscalls/files.js';
import { type InodeCalls, ofTargets } from '../../syscalls/inode-calls.js';
import type { Pointer } from '../../syscalls/libc.js';
import { OwnDescriptors } from './own-descriptors.js';
import type { PassedDescriptor } from './passed-descriptor.js';
import { PathResolver } from './path-resolver.js';
import type { RequestScope } from './request-scope.js';

/**
 * Resolves the empty path of a request about a descriptor: to the name that this has in /proc/self/fd, whatever has become
 * of the names of the file. All calls follow it there.
 */
export class DescriptorResolver extends PathResolver {
  override readonly calls: InodeCalls = ofTargets;
  private readonly passed: PassedDescriptor;
  private readonly own: OwnDescriptors;

  /** @param ownDescriptors an O_PATH descriptor of the process's own descriptors */
  constructor(scope: RequestScope, passed: PassedDescriptor, ownDescriptors: number) {
    super(scope);
    this.passed = passed;
    // its own, since a model asks for the names of other descriptors meanwhile
    this.own = new OwnDescriptors(ownDescriptors);
  }

  override resolve(): Uint8Array | number {
    return this.resolveToOpen();
  }

  override resolveToOpen(): Uint8Array | number {
    const { descriptor = -errno.EBADF } = this.passed;
    if (descriptor < 0) return descriptor;
    const failed = this.scope.workIn(this.own.directory);
    return failed < 0 ? failed : this.#name(descriptor);
  }

  override resolveFollowing(): Uint8Array | number {
    return this.resolveToOpen();
  }

  override resolveName(): Uint8Array | number {
    return -errno.ENOENT;
  }

  override resolveOld(): Uint8Array | number {
    return -errno.ENOENT;
  }

  /** Opens what was passed, whatever path it is given. */
  override open(_path: Pointer, flags: number, mode: number): number {
    const { descriptor = -errno.EBADF } = this.passed;
    if (descriptor < 0) return descriptor;
    return openat(this.own.directory, this.#name(descriptor), flags & ~O_NOFOLLOW, mode);
  }

  override locate(path: Pointer): number {
    return this.open(path, O_PATH, 0);
  }

  #name(descriptor: number): Uint8Array {
    this.own.name(descriptor);
    return this.own.nameBytes;
  }
}
