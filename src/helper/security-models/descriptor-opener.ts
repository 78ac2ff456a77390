import type { OwnDescriptors } from '../paths/own-descriptors.js';
import type { PathResolver } from '../paths/path-resolver.js';
import type { RequestScope } from '../paths/request-scope.js';
import * as errno from '../../abi/errno.js';
import {
  close,
  O_ACCMODE,
  O_APPEND,
  O_CREAT,
  O_DIRECT,
  O_DIRECTORY,
  O_DSYNC,
  O_EXCL,
  O_LARGEFILE,
  O_NOATIME,
  O_NOCTTY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_SYNC,
  O_TRUNC,
  ftruncate,
  O_WRONLY,
  openat,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from '../../syscalls/files.js';
import type { Pointer } from '../../syscalls/libc.js';
import { FileStatus, fileType, fstatWithBirth } from '../../syscalls/status.js';

/** The open flags that a 9p client has a use for: QEMU, get_dotl_openflags. The others are dropped. */
const CLIENT_FLAGS =
  O_ACCMODE |
  O_TRUNC |
  O_APPEND |
  O_DSYNC |
  O_SYNC |
  O_DIRECT |
  O_LARGEFILE |
  O_NOATIME |
  O_NOFOLLOW |
  O_DIRECTORY;

/** How often a name that vanishes and comes back between two calls is tried again. */
const RACE_ATTEMPTS = 10;

/**
 * Opens regular files and directories, and nothing else.
 *
 * Opening a fifo can block, and opening a device does something, so the path is first opened with O_PATH, which calls
 * no driver; the type is checked on that descriptor; then the same inode is opened for use through the process's own
 * /proc/self/fd. A path that is swapped in between makes no difference.
 */
export class DescriptorOpener {
  private readonly scope: RequestScope;
  private readonly paths: PathResolver;
  private readonly own: OwnDescriptors;
  readonly #status = new FileStatus();
  private readonly refused: () => void;

  /**
   * @param paths what resolved the paths that are opened
   * @param refused is told of every special file that was not opened
   */
  constructor(scope: RequestScope, paths: PathResolver, own: OwnDescriptors, refused: () => void) {
    this.scope = scope;
    this.paths = paths;
    this.own = own;
    this.refused = refused;
  }

  /**
   * @param status gets all that is known of what is opened, the birth time included
   * @returns a descriptor or -errno
   */
  open(path: Pointer, flags: number, status?: FileStatus): number {
    return this.#open(path, flags, false, status);
  }

  #open(path: Pointer, flags: number, create: boolean, status?: FileStatus): number {
    const wanted = flags & CLIENT_FLAGS;
    // with O_DIRECTORY the kernel itself refuses anything that is not one, before it opens it
    if ((wanted & O_DIRECTORY) !== 0) {
      const opened = this.paths.open(path, wanted | O_NOCTTY, 0);
      if (!needsAccessTime(opened, wanted)) return opened;
      return this.paths.open(path, (wanted & ~O_NOATIME) | O_NOCTTY, 0);
    }
    const located = this.paths.open(path, O_PATH | (wanted & O_NOFOLLOW), 0);
    if (located < 0) return located;
    const opened = this.#reopen(located, wanted & ~O_NOFOLLOW, create, status);
    // as long as what it led to: the two are closed together
    if (opened >= 0) this.scope.hold(located);
    else close(located);
    return opened;
  }

  /**
   * Creates a file, or opens the one that is there unless O_EXCL was asked for; without O_CREAT it only opens.
   * Creating is always exclusive first: only so it is certain that an existing special file is not opened.
   */
  create(path: Pointer, flags: number, mode: number): number {
    if ((flags & O_CREAT) === 0) return this.open(path, flags);
    const wanted = flags & CLIENT_FLAGS & ~O_DIRECTORY;
    for (let attempt = 0; ; attempt++) {
      const created = this.paths.open(path, wanted | O_CREAT | O_EXCL | O_NOCTTY, mode);
      if (created !== -errno.EEXIST || (flags & O_EXCL) !== 0) return created;
      const opened = this.#open(path, wanted, true);
      if (opened !== -errno.ENOENT || attempt === RACE_ATTEMPTS) return opened;
    }
  }

  /** Sets the length of a regular file, as truncate(2) but without waiting for a lease on it (EAGAIN). */
  truncate(path: Pointer, length: number | bigint): number {
    if (length < 0) return -errno.EINVAL;
    const descriptor = this.open(path, O_WRONLY);
    // what truncate(2) says of special files
    if (descriptor < 0) return descriptor === -errno.ENXIO ? -errno.EINVAL : descriptor;
    return ftruncate(this.scope.hold(descriptor), length);
  }

  /** Opens for use what an O_PATH descriptor refers to, which stays open. @returns a descriptor or -errno */
  reopen(located: number, flags: number): number {
    return this.#reopen(located, flags & CLIENT_FLAGS & ~O_NOFOLLOW, false);
  }

  #reopen(located: number, flags: number, create: boolean, wanted?: FileStatus): number {
    const status = wanted ?? this.#status;
    const failed = wanted === undefined ? fileType(located, status) : fstatWithBirth(located, status);
    if (failed < 0) return failed;
    const type = status.mode & S_IFMT;
    if (type === S_IFDIR) {
      if (create || (flags & O_ACCMODE) !== 0 || (flags & O_TRUNC) !== 0) return -errno.EISDIR;
    } else if (type !== S_IFREG) {
      if (type === S_IFLNK) return -errno.ELOOP;
      this.refused();
      return -errno.ENXIO;
    }
    // O_NONBLOCK: a file that somebody holds a lease on fails instead of making us wait. The client's open file keeps
    // the flag, which means nothing for a regular file or a directory
    const name = this.own.name(located);
    const opened = openat(this.own.directory, name, flags | O_NOCTTY | O_NONBLOCK, 0);
    if (!needsAccessTime(opened, flags)) return opened;
    return openat(this.own.directory, name, (flags & ~O_NOATIME) | O_NOCTTY | O_NONBLOCK, 0);
  }
}

/**
 * Whether an open failed because O_NOATIME is only for the owner and CAP_FOWNER: open(2). In a user namespace nobody has
 * that capability over files of an unmapped owner. As in QEMU's `local`, such a file is opened without the flag.
 */
function needsAccessTime(opened: number, flags: number): boolean {
  return opened === -errno.EPERM && (flags & O_NOATIME) !== 0;
}
