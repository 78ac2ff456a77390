import type { Request } from '../../proxy-protocol/decoder.js';
import type { Destination } from '../../syscalls/libc.js';
import type { FileStatus, FileSystemStatus } from '../../syscalls/status.js';

/**
 * What a request becomes on the host. One implementation per security model of 9p; the operations know only this.
 *
 * Every method returns 0 or the value that its comment names, or a negated errno. Nothing is thrown but by a bug.
 * Paths are absolute inside the export. What a method holds or changes meanwhile the RequestScope gives back.
 */
export interface SecurityModel extends XattrModel {
  /** @returns a descriptor, which the caller closes; ENXIO for a special file, never opened */
  open(request: Request<'open'>): number;
  /** @returns a descriptor as `open` does; a new file belongs to the request's ids */
  create(request: Request<'create'>): number;

  mknod(request: Request<'mknod'>): number;
  mkdir(request: Request<'mkdir'>): number;
  symlink(request: Request<'symlink'>): number;
  link(request: Request<'link'>): number;
  rename(request: Request<'rename'>): number;
  /** Removes a file or an empty directory. */
  remove(request: Request<'remove'>): number;

  lstat(request: Request<'lstat'>, status: FileStatus): number;
  /** @returns the length of the target, written to `target` and cut at `size` bytes */
  readlink(request: Request<'readlink'>, target: Destination, size: number): number;
  statfs(request: Request<'statfs'>, status: FileSystemStatus): number;
  /** Writes the inode's generation, 0 where the file system has none, to the first word of `generation`. */
  generation(request: Request<'getversion'>, generation: Int32Array, at: number): number;

  chmod(request: Request<'chmod'>): number;
  chown(request: Request<'chown'>): number;
  truncate(request: Request<'truncate'>): number;
  utime(request: Request<'utime'>): number;
}

/** The extended attributes among it. */
export interface XattrModel {
  /** @returns the length of the value, written to `value`; with `size` 0 only the length */
  getxattr(request: Request<'lgetxattr'>, value: Destination, size: number): number;
  /** @returns the length of the list of NUL-terminated names, written to `list`; with `size` 0 only the length */
  listxattr(request: Request<'llistxattr'>, list: Destination, size: number): number;
  setxattr(request: Request<'lsetxattr'>): number;
  removexattr(request: Request<'lremovexattr'>): number;
}
