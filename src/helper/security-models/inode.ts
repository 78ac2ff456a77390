import type { OwnDescriptors } from '../paths/own-descriptors.js';
import type { PathResolver } from '../paths/path-resolver.js';
import type { RequestScope } from '../paths/request-scope.js';
import * as files from '../../syscalls/files.js';
import type { Pointer } from '../../syscalls/libc.js';
import { FileStatus, fstat, fstatWithBirth } from '../../syscalls/status.js';

const NONE = -1;

/**
 * One inode, held by an O_PATH descriptor while something is decided of it and done to it. Its path may lead to another
 * inode meanwhile: other processes rename, too.
 */
export class Inode {
  private readonly scope: RequestScope;
  private readonly paths: PathResolver;
  private readonly own: OwnDescriptors;
  readonly #status = new FileStatus();
  #descriptor = NONE;
  /** What was read of the one that is held. */
  #known: FileStatus | undefined;

  constructor(scope: RequestScope, paths: PathResolver, own: OwnDescriptors) {
    this.scope = scope;
    this.paths = paths;
    this.own = own;
  }

  /**
   * Holds an inode until the request is answered, or another one is held.
   *
   * @param path of `resolveToOpen`
   * @param flags O_NOFOLLOW for a symbolic link itself, else 0
   * @returns 0 or -errno
   */
  hold(path: Pointer, flags: number): number {
    return this.#take(this.paths.locate(path, flags));
  }

  /** As `hold` of a path, for what is opened then: nothing of a procfs. */
  holdToOpen(path: Pointer): number {
    return this.#take(this.paths.open(path, files.O_PATH | files.O_NOFOLLOW, 0));
  }

  #take(descriptor: number): number {
    this.#known = undefined;
    this.#descriptor = NONE;
    if (descriptor < 0) return descriptor;
    this.#descriptor = this.scope.hold(descriptor);
    return 0;
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
    return files.fchmodat(this.own.directory, this.own.name(this.#descriptor), mode);
  }

  /** @param times as of utimensat(2) */
  utime(times: Pointer): number {
    return files.utimensat(this.own.directory, this.own.name(this.#descriptor), times, 0);
  }

  /**
   * For calls that only take a path: makes the working directory one in which the inode has a name. The calls have to
   * follow links.
   *
   * @returns the name or -errno
   */
  enter(): Pointer | number {
    const failed = this.scope.workIn(this.own.directory);
    return failed < 0 ? failed : this.own.name(this.#descriptor);
  }
}
