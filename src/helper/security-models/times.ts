import type { Request } from '../../proxy-protocol/decoder.js';
import { addressOf, type Pointer } from '../../syscalls/libc.js';
import { setInt64, stableMemory } from '../../syscalls/memory.js';

/** The times of a request as the kernel takes them: two `struct timespec`, access and modification. */
export class Times {
  readonly #bytes = stableMemory(32);
  readonly #address = addressOf(this.#bytes);
  readonly #view = new DataView(this.#bytes.buffer);

  of(request: Request<'utime'>): Pointer {
    setInt64(this.#view, 0, request.atimeSeconds);
    setInt64(this.#view, 8, request.atimeNanoseconds);
    setInt64(this.#view, 16, request.mtimeSeconds);
    setInt64(this.#view, 24, request.mtimeNanoseconds);
    return this.#address;
  }
}
