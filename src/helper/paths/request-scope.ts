import { chdir, close, closeRange, fchdir } from '../../syscalls/files.js';
import { cString } from '../../syscalls/memory.js';

const ROOT = cString('/');

/**
 * What one request takes until it is answered: another working directory, and open descriptors. `end` gives all of it
 * back, whatever became of the request, so that nothing which carries out a part of one has to.
 *
 * To go back to the root takes the right to search the export, which its owner can take away: the guest, where the helper
 * has no capabilities. What has to begin there fails then, as it would in a lookup, and every request tries to go back.
 */
export class RequestScope {
  readonly #root: number | undefined;
  readonly #held: number[] = [];
  #count = 0;
  /** Whether each of the held descriptors is the one after the one before. */
  #inARow = true;
  #atRoot = true;
  #stranded = 0;

  /** @param root a descriptor of the export, where it need not be the root directory */
  constructor(root: number | undefined) {
    this.#root = root;
  }

  /** Whether the working directory is the root. */
  get atRoot(): boolean {
    return this.#atRoot;
  }

  /** Makes another directory the working directory. @returns 0 or -errno */
  workIn(directory: number): number {
    const failed = fchdir(directory);
    if (failed >= 0) this.#atRoot = false;
    return failed;
  }

  /** The same by a path. */
  workInPath(directory: Uint8Array): number {
    const failed = chdir(directory);
    if (failed >= 0) this.#atRoot = false;
    return failed;
  }

  /** Goes back to the root, for the next path. @returns 0, or -errno when that cannot be */
  toRoot(): number {
    if (!this.#atRoot || this.#stranded < 0) this.#return();
    return this.#stranded;
  }

  /** Keeps a descriptor open until the end. @returns it */
  hold(descriptor: number): number {
    if (this.#count > 0 && descriptor !== (this.#held[this.#count - 1] ?? 0) + 1) this.#inARow = false;
    this.#held[this.#count++] = descriptor;
    return descriptor;
  }

  end(): void {
    if (!this.#atRoot) this.#return();
    if (this.#count > 0) this.#close();
  }

  #return(): void {
    this.#stranded = this.#root === undefined ? chdir(ROOT) : fchdir(this.#root);
    this.#atRoot = true;
  }

  /** They are neighbours nearly always: one call for all of them. */
  #close(): void {
    const first = this.#held[0] ?? 0;
    if (this.#count === 1) close(first);
    else if (this.#inARow) closeRange(first, first + this.#count - 1);
    else for (let at = 0; at < this.#count; at++) close(this.#held[at] ?? 0);
    this.#count = 0;
    this.#inARow = true;
  }
}
