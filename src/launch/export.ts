import { readFileSync, realpathSync } from 'node:fs';
import { StartError } from '../exit-status.js';
import { describeErrno } from '../syscalls/errno.js';
import { AT_FDCWD, O_DIRECTORY, O_PATH, openat } from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';

/** The directory to be served. */
export interface Export {
  readonly path: string;
  /** An O_PATH descriptor of it. */
  readonly directory: number;
  /** Whether a procfs is mounted inside, whose magic links lead out of it. */
  readonly hasProcfs: boolean;
}

/** Opens the export. Throws a StartError. */
export function openExport(path: string): Export {
  const directory = openat(AT_FDCWD, cString(path), O_PATH | O_DIRECTORY, 0);
  if (directory < 0) throw new StartError(`cannot export ${path}: ${describeErrno(directory)}`);
  return { path, directory, hasProcfs: hasProcfs(realpathSync(path)) };
}

/** Looks for procfs at or below a path in /proc/self/mountinfo: proc_pid_mountinfo(5). */
function hasProcfs(path: string): boolean {
  const below = path === '/' ? '/' : `${path}/`;
  return readFileSync('/proc/self/mountinfo', 'utf8')
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
