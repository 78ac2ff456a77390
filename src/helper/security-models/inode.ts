import type { OwnDescriptors } from '../paths/own-descriptors.js';
import type { PathResolver } from '../paths/path-resolver.js';
import * as files from '../../syscalls/files.js';
import type { Pointer } from '../../syscalls/libc.js';
import { FileStatus, fstat, fstatWithBirth } from '../../syscalls/status.js';

const NONE = -1;

/**
 * One inode, held by an O_PATH descriptor while something is decided of it and done to it. Its path may lead to another
 * inode meanwhile: other processes rename, too.
 */
export class Inode {
  readonly #paths: PathResolver;
  readonly #own: OwnDescriptors;
  readonly #status = new FileStatus();
  #descriptor = NONE;
  /** What was read of the one that is held. */
  #known: FileStatus | undefined;

  constructor(paths: PathResolver, own: OwnDescriptors) {
    this.#paths = paths;
    this.#own = own;
  }

  /**
   * @param path of `resolveToOpen`
   * @param flags O_NOFOLLOW for a symbolic link itself, else 0
   * @returns 0 or -errno; to be followed by `release` in both cases
   */
  hold(path: Pointer, flags: number): number {
    const descriptor = this.#paths.locate(path, flags);
    if (descriptor < 0) return descriptor;
    this.#descriptor = descriptor;
    return 0;
  }

  /** As `hold` of a path, for what is opened then: nothing of a procfs. */
  holdToOpen(path: Pointer): number {
    const descriptor = this.#paths.open(path, files.O_PATH | files.O_NOFOLLOW, 0);
    if (descriptor < 0) return descriptor;
    this.#descriptor = descriptor;
    return 0;
  }

  /** Ends the operation on it. @returns the operation's result, which it is given */
  release(result: number): number {
    if (this.#descriptor !== NONE) files.close(this.#descriptor);
    this.#descriptor = NONE;
    this.#known = undefined;
    return result;
  }

  /** The O_PATH descriptor. */
  get descriptor(): number {
    return this.#descriptor;
  }

  status(status: FileStatus): number {
    return fstat(this.#descriptor, status);
  }

  /** As `status`, with the birth time. What is read stays `known`. */
  identify(status: FileStatus): number {
    const failed = fstatWithBirth(this.#descriptor, status);
    if (failed >= 0) this.#known = status;
    return failed;
  }

  /** What `identify` has read, or reads now; owner, mode and device number may have become the guest's. */
  known(): FileStatus | number {
    const failed = this.#known === undefined ? this.identify(this.#status) : 0;
    return failed < 0 ? failed : (this.#known ?? this.#status);
  }

  chown(uid: number, gid: number): number {
    return files.chownDescriptor(this.#descriptor, uid, gid);
  }

  chmod(mode: number): number {
    return files.fchmodat(this.#own.directory, this.#own.name(this.#descriptor), mode);
  }

  /** @param times as of utimensat(2) */
  utime(times: Pointer): number {
    return files.utimensat(this.#own.directory, this.#own.name(this.#descriptor), times, 0);
  }

  /**
   * For calls that only take a path: makes the working directory one in which the inode has a name, until the resolver is
   * `done`. The calls have to follow links.
   *
   * @returns the name or -errno
   */
  enter(): Pointer | number {
    const failed = this.#paths.workIn(this.#own.directory);
    return failed < 0 ? failed : this.#own.name(this.#descriptor);
  }
}
