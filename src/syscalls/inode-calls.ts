import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, chown, lchown, utimensat } from './files.js';
import type { Pointer } from './libc.js';
import { type FileStatus, lstat, stat } from './status.js';
import {
  getxattr,
  lgetxattr,
  listxattr,
  llistxattr,
  lremovexattr,
  lsetxattr,
  removexattr,
  setxattr,
} from './xattrs.js';

/** The calls on an inode that there are in two forms, by what they do about a symbolic link at the end of its path. */
export interface InodeCalls {
  readonly status: (path: Pointer, status: FileStatus) => number;
  readonly chown: (path: Pointer, uid: number, gid: number) => number;
  readonly utime: (path: Pointer, times: Pointer) => number;
  readonly getxattr: typeof getxattr;
  readonly listxattr: typeof listxattr;
  readonly setxattr: typeof setxattr;
  readonly removexattr: typeof removexattr;
}

/** They work on the link itself. */
export const ofLinks: InodeCalls = {
  status: lstat,
  chown: lchown,
  utime: (path, times) => utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW),
  getxattr: lgetxattr,
  listxattr: llistxattr,
  setxattr: lsetxattr,
  removexattr: lremovexattr,
};

/** They work on what it leads to: for names in /proc/self/fd. */
export const ofTargets: InodeCalls = {
  status: stat,
  chown,
  utime: (path, times) => utimensat(AT_FDCWD, path, times, 0),
  getxattr,
  listxattr,
  setxattr,
  removexattr,
};
