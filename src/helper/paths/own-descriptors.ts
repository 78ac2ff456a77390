import { addressOf, type Pointer } from '../../syscalls/libc.js';
import { stableMemory } from '../../syscalls/memory.js';

/** A descriptor has at most ten digits. */
const NAME_BYTES = 16;
const SLASH = 0x2f;

/**
 * The process's own descriptors by name: /proc/self/fd. A call that takes the path of one, and follows links, works on
 * the very inode that the descriptor refers to, whatever has become of its name.
 */
export class OwnDescriptors {
  /** An O_PATH descriptor of /proc/self/fd. */
  readonly directory: number;
  /** Where `name` writes. */
  readonly nameBytes: Uint8Array = stableMemory(NAME_BYTES);
  readonly #nameAddress = addressOf(this.nameBytes);

  constructor(directory: number) {
    this.directory = directory;
  }

  /**
   * The name of a descriptor in `directory`, valid until the next one is asked for.
   *
   * @param asDirectory with a slash behind it: a call that follows no link at the end of its path follows this one
   */
  name(descriptor: number, asDirectory = false): Pointer {
    let end = 1;
    for (let rest = descriptor; rest >= 10; rest = Math.trunc(rest / 10)) end++;
    for (let at = end - 1, rest = descriptor; at >= 0; at--, rest = Math.trunc(rest / 10)) {
      this.nameBytes[at] = 0x30 + (rest % 10);
    }
    if (asDirectory) this.nameBytes[end++] = SLASH;
    this.nameBytes[end] = 0;
    return this.#nameAddress;
  }
}
