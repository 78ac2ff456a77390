import { close } from '../../syscalls/files.js';
import { DirectoryStream } from './directory-stream.js';
import type { Node } from './node.js';

/** How a file was opened. */
export interface Opening {
  readonly descriptor: number;
  readonly node: Node;
  /** Those with which it is opened again: it is neither made nor emptied then. */
  readonly flags: number;
  readonly isDirectory: boolean;
}

/**
 * What an open fid has: the file itself, whatever becomes of its name. It stays open while a request uses it, also when the
 * fid is gone meanwhile. `OpenFiles` may have it give its descriptor back in between.
 */
export class OpenFile {
  readonly node: Node;
  readonly flags: number;
  /** Of a directory: where reading it is. */
  readonly directory: DirectoryStream | undefined;
  readonly #closed: (file: OpenFile) => void;
  #descriptor: number;
  /** Which file it is, while the descriptor is given back. */
  #identity: string | undefined;
  #users = 1;
  /** Whether it was used since `OpenFiles` looked last. */
  isRecent = true;
  /** Whose locks are on this open file description: `Locks` knows the key. */
  lockOwner: string | undefined;

  constructor({ descriptor, node, flags, isDirectory }: Opening, closed: (file: OpenFile) => void) {
    this.#descriptor = descriptor;
    this.node = node;
    this.flags = flags;
    this.directory = isDirectory ? new DirectoryStream(descriptor) : undefined;
    this.#closed = closed;
  }

  /** To be asked of `OpenFiles`, where it may have been given back. */
  get descriptor(): number {
    return this.#descriptor;
  }

  get isAway(): boolean {
    return this.#identity !== undefined;
  }

  get isClosed(): boolean {
    return this.#users === 0;
  }

  /** Whether it can do without its descriptor: no request uses it, and no lock would be lost. */
  get isIdle(): boolean {
    return this.#users === 1 && this.lockOwner === undefined;
  }

  use(): this {
    this.#users++;
    return this;
  }

  done(): void {
    this.#users--;
    if (this.#users > 0) return;
    if (!this.isAway) close(this.#descriptor);
    this.#closed(this);
  }

  /** Closes the descriptor. @param identity of the file, to know it again */
  giveBack(identity: string): void {
    close(this.#descriptor);
    this.#descriptor = -1;
    this.#identity = identity;
  }

  /** Takes a descriptor of the same file. @returns whether it is that one */
  takeAgain(descriptor: number, identity: string): boolean {
    if (identity !== this.#identity) return false;
    this.#descriptor = descriptor;
    this.#identity = undefined;
    return true;
  }
}
