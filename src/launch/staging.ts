import { StartError } from '../exit-status.js';
import * as errno from '../syscalls/errno.js';
import { describeErrno } from '../syscalls/errno-text.js';
import {
  AT_REMOVEDIR,
  close,
  linkat,
  lockNow,
  mkdirat,
  O_DIRECTORY,
  O_NOFOLLOW,
  openat,
  renameat,
  S_IFDIR,
  S_ISGID,
  unlinkat,
} from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import { fchmod } from '../syscalls/sockets.js';
import { FileStatus, fstat, isSameFile } from '../syscalls/status.js';
import type { Place } from './place.js';

/** What is made for the place, and what was taken out of it. */
export const NEW = 'new';
const NEW_NAME = cString(NEW);
const OLD_NAME = cString('old');
const OWNER_ONLY = 0o700;
/** Another start has the directory for a moment only. */
const PATIENCE_MS = 5_000;
const PAUSE_MS = 10;

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

  /** Runs `work` with the staging directory of a place, which is gone afterwards. Throws a StartError. */
  static run<Result>(place: Place, work: (staging: Staging) => Result): Result {
    const name = cString(`.${place.name}.starting`);
    const staging = new Staging(place, openStaging(place, name));
    try {
      staging.#clear();
      return work(staging);
    } finally {
      staging.#clear();
      unlinkat(place.directory, name, AT_REMOVEDIR);
      close(staging.directory);
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

/** Opens the staging directory, made anew or left behind by a start that was killed, when no other start uses it. */
function openStaging(place: Place, name: Uint8Array): number {
  const fail = (reason: string): StartError => new StartError(`cannot create ${place.path}: ${reason}`);
  const end = performance.now() + PATIENCE_MS;
  while (performance.now() < end) {
    const made = mkdirat(place.directory, name, OWNER_ONLY);
    if (made < 0 && made !== -errno.EEXIST) throw fail(describeErrno(made));
    const directory = openat(place.directory, name, O_DIRECTORY | O_NOFOLLOW, 0);
    // the other start has just removed it
    if (directory === -errno.ENOENT) continue;
    if (directory < 0 || !isOurs(directory))
      throw fail(`.${place.name}.starting is in the way; remove it first`);
    // takes away what it got of a set-gid directory
    fchmod(directory, OWNER_ONLY);
    if (lockNow(directory) >= 0 && isSameFile(directory, place.directory, name)) return directory;
    close(directory);
    pause(PAUSE_MS);
  }
  throw fail('another start of a helper there is under way');
}

function isOurs(directory: number): boolean {
  const status = new FileStatus();
  return (
    fstat(directory, status) >= 0 &&
    (status.mode & ~S_ISGID) === (S_IFDIR | OWNER_ONLY) &&
    status.words[FileStatus.UID] === process.geteuid?.()
  );
}

/** Nothing else may run meanwhile: the process is about to fork. */
function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
