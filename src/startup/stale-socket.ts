import type { Fail } from './start-errors.js';
import * as errno from '../abi/errno.js';
import { close, O_NOFOLLOW, O_PATH, openat, S_IFSOCK } from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import { isSocketInUse } from '../syscalls/sockets.js';
import { FileStatus, fstat } from '../syscalls/status.js';
import type { Place } from './place.js';
import type { Staging } from './staging.js';

/** By what a socket of ours is known. */
export interface SocketMarks {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Removes the socket that a helper left behind: it was killed before its client came, or could not reach the path any
 * more when it ended. It is removed only when it is certain that it is one: a socket with the owner, group and mode that
 * we give, to which no process can listen any more. Throws a StartError when it is anything else.
 *
 * @param fail makes the error of a code and a reason
 */
export function removeStale(place: Place, staging: Staging, marks: SocketMarks, fail: Fail): void {
  const socket = openat(place.directory, cString(place.name), O_PATH | O_NOFOLLOW, 0);
  if (socket === -errno.ENOENT) return;
  try {
    if (!isOurs(socket, marks)) throw fail('path-taken', 'something else is there; remove it first');
    if (isSocketInUse(socket)) throw fail('already-in-use', 'another process uses it');
    if (!staging.removeOnly(socket)) throw fail('path-taken', 'it was replaced meanwhile');
  } finally {
    close(socket);
  }
}

const status = new FileStatus();

/** Whether a file is a socket with these marks. */
export function isOurs(socket: number, { mode, uid, gid }: SocketMarks): boolean {
  return (
    fstat(socket, status) >= 0 &&
    status.mode === (S_IFSOCK | mode) &&
    status.words[FileStatus.UID] === uid &&
    status.words[FileStatus.GID] === gid
  );
}
