import { ByteSpan } from '../../proxy-protocol/frame.js';
import * as errno from '../../abi/errno.js';
import { close, readlinkat } from '../../syscalls/files.js';
import { stableMemory } from '../../syscalls/memory.js';
import { referToSameFile } from '../../syscalls/status.js';
import { DescriptorResolver } from './descriptor-resolver.js';
import type { NameResolver } from './name-resolver.js';
import { OwnDescriptors } from './own-descriptors.js';
import type { PassedDescriptor } from './passed-descriptor.js';
import { PATH_MAX } from './path-resolver.js';
import type { RequestScope } from './request-scope.js';

/**
 * Resolves the empty path of a request about a descriptor to the name that the file has in its directory, for what is kept
 * beside it. ESTALE when it has none any more, or none that the client may use. What is opened is the file that was
 * passed, whatever has that name meanwhile.
 */
export class RecordResolver extends DescriptorResolver {
  readonly #names: NameResolver;
  readonly #passed: PassedDescriptor;
  readonly #own: OwnDescriptors;
  readonly #path = new ByteSpan(stableMemory(PATH_MAX));

  constructor(scope: RequestScope, names: NameResolver, passed: PassedDescriptor, ownDescriptors: number) {
    super(scope, passed, ownDescriptors);
    this.#names = names;
    this.#passed = passed;
    this.#own = new OwnDescriptors(ownDescriptors);
  }

  override resolveToOpen(): Uint8Array | number {
    const { descriptor = -errno.EBADF } = this.#passed;
    if (descriptor < 0) return descriptor;
    // what the kernel shows is a hint: a file that has no name is shown with a word behind it
    const { frame } = this.#path;
    const length = readlinkat(this.#own.directory, this.#own.name(descriptor), frame, frame.length);
    if (length < 0 || length === frame.length) return -errno.ESTALE;
    this.#path.length = length;
    const name = this.#names.resolveToOpen(this.#path);
    if (typeof name === 'number') return name === -errno.ENOENT ? -errno.ESTALE : name;
    return this.#isOf(descriptor, name) ? name : -errno.ESTALE;
  }

  #isOf(descriptor: number, name: Uint8Array): boolean {
    const named = this.#names.locate(name);
    if (named < 0) return false;
    const isSame = referToSameFile(named, descriptor);
    close(named);
    return isSame;
  }
}
