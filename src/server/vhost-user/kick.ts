import * as errno from '../../abi/errno.js';
import { DescriptorWatch } from '../../syscalls/descriptor-watch.js';
import { read } from '../../syscalls/files.js';
import { stableMemory } from '../../syscalls/memory.js';
import { Poll, POLLIN } from '../../syscalls/poll.js';

const COUNTER_BYTES = 8;

/** The eventfd with which a guest tells of new entries in its ring. It may be any descriptor that can be watched. */
export class Kick {
  readonly descriptor: number;
  readonly #watch: DescriptorWatch;
  readonly #poll: Poll;
  readonly #counter = stableMemory(COUNTER_BYTES);

  /** @param kicked is told by the event loop; then `take` is to be called */
  constructor(descriptor: number, kicked: () => void) {
    this.descriptor = descriptor;
    this.#watch = new DescriptorWatch(descriptor, { readable: true, writable: false }, kicked);
    this.#poll = new Poll(descriptor, POLLIN);
  }

  /** Sleeps for a kick, and takes it. @returns whether there may have been one */
  sleep(milliseconds: number): boolean {
    return this.#poll.isReady(milliseconds) && this.take();
  }

  /** @returns whether there may have been one */
  take(): boolean {
    const bytes = read(this.descriptor, this.#counter, COUNTER_BYTES);
    if (bytes > 0 || bytes === -errno.EAGAIN || bytes === -errno.EINTR) return true;
    // no more of a descriptor that is always ready and gives nothing
    this.#watch.close();
    return false;
  }

  /** The descriptor is the caller's to close. */
  close(): void {
    this.#watch.close();
  }
}
