import type { Fail, StartError } from './start-errors.js';
import * as errno from '../abi/errno.js';
import { describeErrno } from '../abi/errno-text.js';
import { AT_REMOVEDIR, close, linkat, renameat, unlinkat } from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import { isSameFile } from '../syscalls/status.js';
import type { Place } from './place.js';
import { lockPrivateDirectory } from './private-directory.js';

/** What is made for the place, and what was taken out of it. */
export const NEW = 'new';
const NEW_NAME = cString(NEW);
const OLD_NAME = cString('old');

/**
 * A directory beside a place that nobody but this user may enter. What is to be at the place is made in it, under the
 * name `NEW`, and moved there when it is ready: so it has its owner and mode from the first moment, also where the
 * place's directory is set-gid, and nobody else can put anything else in its way before. One start at a time has it.
 */
export class Staging {
  readonly directory: number;
  readonly #place: Place;

  private constructor(place: Place, directory: number) {
    this.#place = place;
    this.directory = directory;
  }

  /** Runs `work` with the staging directory of a place, which is gone afterwards. Throws a StartError, which `fail` makes. */
  static run<Result>(place: Place, fail: Fail, work: (staging: Staging) => Result): Result {
    const name = `.${place.name}.starting`;
    const directory = lockPrivateDirectory(place.directory, name);
    if (directory < 0) throw failure(name, directory, fail);
    const staging = new Staging(place, directory);
    try {
      staging.#clear();
      return work(staging);
    } finally {
      staging.#clear();
      unlinkat(place.directory, cString(name), AT_REMOVEDIR);
      close(directory);
    }
  }
  /** Gives what is `NEW` the name of the place. @returns -EEXIST when something has it already */
  publish(): number {
    return linkat(this.directory, NEW_NAME, cString(this.#place.name), this.#place.directory);
  }

  /** The same, in the place of whatever has the name. */
  replace(): number {
    return renameat(this.directory, NEW_NAME, cString(this.#place.name), this.#place.directory);
  }

  /**
   * Removes what has the name of the place if it is the file that a descriptor was opened for. It is looked at where
   * nobody can exchange it any more. @returns whether it was that
   */
  removeOnly(file: number): boolean {
    const name = cString(this.#place.name);
    if (renameat(this.#place.directory, name, OLD_NAME, this.directory) < 0) return false;
    if (isSameFile(file, this.directory, OLD_NAME)) return unlinkat(this.directory, OLD_NAME, 0) >= 0;
    // a directory has no second name
    if (linkat(this.directory, OLD_NAME, name, this.#place.directory) < 0)
      renameat(this.directory, OLD_NAME, name, this.#place.directory);
    return false;
  }

  /** A start that was killed may have left something. */
  #clear(): void {
    for (const name of [NEW_NAME, OLD_NAME]) unlinkat(this.directory, name, 0);
  }
}

function failure(name: string, failed: number, fail: Fail): StartError {
  if (failed === -errno.EEXIST) return fail('path-taken', `${name} is in the way; remove it first`);
  if (failed === -errno.EAGAIN) return fail('already-in-use', 'another start of a helper there is under way');
  return fail('file-not-created', describeErrno(failed));
}
