import * as errno from '../abi/errno.js';
import {
  close,
  lockNow,
  mkdirat,
  O_DIRECTORY,
  O_NOFOLLOW,
  openat,
  S_IFDIR,
  S_ISGID,
} from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import { fchmod } from '../syscalls/sockets.js';
import { FileStatus, fstat, isSameFile } from '../syscalls/status.js';

const OWNER_ONLY = 0o700;
/** Another start has the directory for a moment only. */
const PATIENCE_MS = 5_000;
const PAUSE_MS = 10;

/**
 * Opens a directory that nobody but this user may enter, and locks it: one start at a time has it. It is made, or found
 * as another start left it.
 *
 * @returns the descriptor, or -errno: EEXIST when something else has the name, EAGAIN when another start has it for long
 */
export function lockPrivateDirectory(parent: number, name: string): number {
  const path = cString(name);
  const end = performance.now() + PATIENCE_MS;
  while (performance.now() < end) {
    const made = mkdirat(parent, path, OWNER_ONLY);
    if (made < 0 && made !== -errno.EEXIST) return made;
    const directory = openat(parent, path, O_DIRECTORY | O_NOFOLLOW, 0);
    // the other start has just removed it
    if (directory === -errno.ENOENT) continue;
    if (directory < 0) return -errno.EEXIST;
    if (!isPrivate(directory)) {
      close(directory);
      return -errno.EEXIST;
    }
    // takes away what it got of a set-gid directory
    fchmod(directory, OWNER_ONLY);
    if (lockNow(directory) >= 0 && isSameFile(directory, parent, path)) return directory;
    close(directory);
    pause(PAUSE_MS);
  }
  return -errno.EAGAIN;
}

function isPrivate(directory: number): boolean {
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
