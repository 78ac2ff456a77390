import { declareInt } from './libc.js';
import { stableMemory, wordsOf } from './memory.js';

const libc = { poll: declareInt('poll', 'void *', 'uint32', 'int') };

export const POLLIN = 1;
export const POLLPRI = 2;
export const POLLOUT = 4;

/** Looks whether a descriptor is ready: poll(2). */
export class Poll {
  /** `struct pollfd` */
  readonly #pollfd = stableMemory(8);

  /** @param events some of POLLIN, POLLPRI and POLLOUT */
  constructor(descriptor: number, events: number) {
    const words = wordsOf(this.#pollfd);
    words[0] = descriptor;
    words[1] = events;
  }

  /** @returns also when it failed: then the call that this one prepares says why */
  isReady(milliseconds: number): boolean {
    return libc.poll(this.#pollfd, 1, milliseconds) !== 0;
  }
}

/** Waits until one of some descriptors has input or its end, or for a time. */
export function waitForInput(descriptors: readonly number[], milliseconds: number): void {
  const pollfds = stableMemory(8 * descriptors.length);
  const words = wordsOf(pollfds);
  descriptors.forEach((descriptor, index) => {
    words[2 * index] = descriptor;
    words[2 * index + 1] = POLLIN;
  });
  libc.poll(pollfds, descriptors.length, milliseconds);
}
