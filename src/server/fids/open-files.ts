import * as errno from '../../abi/errno.js';
import { DirectoryStream } from './directory-stream.js';
import type { Locks } from './locks.js';
import { OpenFile } from './open-file.js';

/** How many files are open, and how many may be. */
export class OpenFiles {
  readonly #limit: number;
  readonly #locks: Locks;
  #count = 0;

  constructor(limit: number, locks: Locks) {
    this.#limit = limit;
    this.#locks = locks;
  }

  /** @returns 0, or -EMFILE when no more may be opened */
  check(): number {
    return this.#count >= this.#limit ? -errno.EMFILE : 0;
  }

  /** Takes over a descriptor that the helper has passed. */
  add(descriptor: number, isDirectory: boolean): OpenFile {
    this.#count++;
    const directory = isDirectory ? new DirectoryStream(descriptor) : undefined;
    return new OpenFile(descriptor, directory, (file) => {
      this.#count--;
      this.#locks.closed(file);
    });
  }
}
