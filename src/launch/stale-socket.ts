import { readFileSync } from 'node:fs';
import { StartError } from '../exit-status.js';
import * as errno from '../syscalls/errno.js';
import { close, S_IFSOCK, unlink } from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import { connectUnix, type SocketType, unixSocket } from '../syscalls/sockets.js';
import { FileStatus, lstat } from '../syscalls/status.js';

/** By what a socket of ours is known. */
export interface SocketMarks {
  readonly type: SocketType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Removes the socket that a helper left behind: it was killed before its client came, or could not reach the path any
 * more when it ended. It is removed only when it is certain that it is one: a socket with the owner, group and mode that
 * we give, that refuses a connection, and that no living process has bound (it could be about to listen). Throws a
 * StartError when it is anything else.
 */
export function removeStale(path: string, { type, mode, uid, gid }: SocketMarks): void {
  const name = cString(path);
  const status = new FileStatus();
  const isOurs =
    lstat(name, status) >= 0 &&
    status.mode === (S_IFSOCK | mode) &&
    status.words[FileStatus.UID] === uid &&
    status.words[FileStatus.GID] === gid;
  if (!isOurs)
    throw new StartError(`cannot create the socket ${path}: something else is there; remove it first`);
  if (isBound(path) || !isRefused(path, type)) {
    throw new StartError(`cannot create the socket ${path}: another process uses it`);
  }
  unlink(name);
}

/** Whether a socket of this network namespace has the path: proc_net(5), unix. */
function isBound(path: string): boolean {
  return readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .some((line) => line.endsWith(` ${path}`));
}

function isRefused(path: string, type: SocketType): boolean {
  const probe = unixSocket(type);
  const connected = connectUnix(probe, path);
  close(probe);
  return connected === -errno.ECONNREFUSED;
}
