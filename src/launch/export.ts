import { readFileSync, readlinkSync } from 'node:fs';
import { StartError } from '../exit-status.js';
import * as errno from '../syscalls/errno.js';
import { describeErrno } from '../syscalls/errno-text.js';
import { AT_FDCWD, close, O_DIRECTORY, O_PATH, openat } from '../syscalls/files.js';
import { cString, stableMemory } from '../syscalls/memory.js';
import { bindToItself, ownMounts } from '../syscalls/mounts.js';
import { identityOf } from '../syscalls/status.js';
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

/**
 * Opens the export, where possible as a mount of its own. Throws a StartError.
 *
 * @param path as it was given, for messages
 */
export function openExport(path: string, found: number): Export {
  // by the name that it has without links: what was found is what is served, or nothing
  const name = nameOf(found);
  const real = name.subarray(0, -1).toString('latin1');
  // `/` is one of our own with all others, and a mount on it would not be seen
  const isMount = ownMounts() >= 0 && (real === '/' || bindToItself(name) >= 0);
  const directory = openat(AT_FDCWD, name, O_PATH | O_DIRECTORY, 0);
  if (directory < 0) throw new StartError(`cannot export ${path}: ${describeErrno(directory)}`);
  if (identityOf(found) !== identityOf(directory))
    throw new StartError(`cannot export ${path}: it was moved or replaced meanwhile; start again`);
  close(found);
  return { path, directory, isMount, hasProcfs: hasProcfs(real) };
}

/** The absolute path of an open directory, for libc. */
function nameOf(directory: number): Buffer {
  const text = readlinkSync(`/proc/self/fd/${directory}`, { encoding: 'buffer' });
  const name = Buffer.from(stableMemory(text.length + 1).buffer, 0, text.length + 1);
  name.set(text);
  return name;
}

/** Throws a StartError where mapped-xattr could not keep anything. */
export function requireUserXattrs({ path, directory }: Export): void {
  const failed = lgetxattr(
    cString(`/proc/self/fd/${directory}/.`),
    cString('user.virtfs.mode'),
    stableMemory(4),
    4,
  );
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
