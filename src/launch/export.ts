import { readFileSync, realpathSync } from 'node:fs';
import { StartError } from '../exit-status.js';
import * as errno from '../syscalls/errno.js';
import { describeErrno } from '../syscalls/errno-text.js';
import { AT_FDCWD, close, O_DIRECTORY, O_PATH, openat } from '../syscalls/files.js';
import { bytesOfText, cString, stableMemory } from '../syscalls/memory.js';
import { bindToItself, ownMounts } from '../syscalls/mounts.js';
import { lgetxattr } from '../syscalls/xattrs.js';

/** The directory to be served. */
export interface Export {
  readonly path: string;
  /** An O_PATH descriptor of it. */
  readonly directory: number;
  /** Whether it is a mount of our own, so that `..` never leaves it: see ARCHITECTURE.md, containment. */
  readonly isMount: boolean;
  /** Whether a procfs is mounted inside, whose magic links lead out of it. */
  readonly hasProcfs: boolean;
}

function open(path: string): number {
  const directory = openat(AT_FDCWD, cString(path), O_PATH | O_DIRECTORY, 0);
  if (directory < 0) throw new StartError(`cannot export ${path}: ${describeErrno(directory)}`);
  return directory;
}

/** Throws a StartError when there is no such directory. */
export function checkExport(path: string): void {
  close(open(path));
}

/** Opens the export, where possible as a mount of its own. Throws a StartError. */
export function openExport(path: string): Export {
  const name = cString(path);
  checkExport(path);
  // `/` is one of our own with all others, and a mount on it would not be seen
  const isMount = ownMounts() >= 0 && (path === '/' || bindToItself(name) >= 0);
  return {
    path,
    directory: open(path),
    isMount,
    hasProcfs: hasProcfs(realpathSync.native(bytesOfText(path), 'buffer').toString('latin1')),
  };
}

/** Throws a StartError where mapped-xattr could not keep anything. */
export function requireUserXattrs({ path }: Export): void {
  const failed = lgetxattr(cString(`${path}/.`), cString('user.virtfs.mode'), stableMemory(4), 4);
  if (failed !== -errno.EOPNOTSUPP) return;
  throw new StartError(
    `the file system of ${path} has no user extended attributes, which mapped-xattr needs; use mapped-file`,
  );
}

/** Looks for procfs at or below a path, a character for each byte, in /proc/self/mountinfo: proc_pid_mountinfo(5). */
function hasProcfs(path: string): boolean {
  const below = path === '/' ? '/' : `${path}/`;
  return readFileSync('/proc/self/mountinfo', 'latin1')
    .split('\n')
    .some((line) => {
      const [mount = '', source = ''] = line.split(' - ');
      const mountPoint = unescape(mount.split(' ')[4] ?? '');
      return source.startsWith('proc ') && (mountPoint === path || mountPoint.startsWith(below));
    });
}

/** Mount points have blanks and the like as octal numbers. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
