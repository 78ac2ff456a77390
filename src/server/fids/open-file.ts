import { close } from '../../syscalls/files.js';
import type { DirectoryStream } from './directory-stream.js';

/**
 * What an open fid has: the file itself, whatever becomes of its name. It stays open while a request uses it, also when the
 * fid is gone meanwhile.
 */
export class OpenFile {
  readonly descriptor: number;
  /** Of a directory: where reading it is. */
  readonly directory: DirectoryStream | undefined;
  readonly #closed: (file: OpenFile) => void;
  #users = 1;
  /** Whose locks are on this open file description: `Locks` knows the key. */
  lockOwner: string | undefined;

  constructor(descriptor: number, directory: DirectoryStream | undefined, closed: (file: OpenFile) => void) {
    this.descriptor = descriptor;
    this.directory = directory;
    this.#closed = closed;
  }

  use(): this {
    this.#users++;
    return this;
  }

  done(): void {
    this.#users--;
    if (this.#users > 0) return;
    close(this.descriptor);
    this.#closed(this);
  }
}
