import { close } from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import { isSameFile } from '../syscalls/status.js';
import { StartError } from './start-errors.js';
import type { Place } from './place.js';
import { Staging } from './staging.js';

/** The file of a socket that we made, held open: whoever takes its place keeps his own. */
export class SocketFile {
  readonly #place: Place;
  readonly #file: number;

  /** @param file an O_PATH descriptor of it, which belongs to this object as the place's does */
  constructor(place: Place, file: number) {
    this.#place = place;
    this.#file = file;
  }

  /** Removes it, if it is still there. One that cannot be removed is left to the next start, which takes its place. */
  remove(): void {
    const { directory, name } = this.#place;
    try {
      if (isSameFile(this.#file, directory, cString(name)))
        Staging.run(this.#place, (staging) => staging.removeOnly(this.#file));
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
    }
    close(this.#file);
    close(directory);
  }
}
