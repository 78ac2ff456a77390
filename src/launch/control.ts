import { dirname } from 'node:path';
import { StartError } from '../exit-status.js';
import * as errno from '../syscalls/errno.js';
import { describeErrno } from '../syscalls/errno-text.js';
import { S_ISGID } from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import { SOCK_SEQPACKET } from '../syscalls/sockets.js';
import { FileStatus, lstat } from '../syscalls/status.js';
import { removeStale } from './stale-socket.js';

/** For the owner alone, who is root: `session/control.ts`. */
const CONTROL_MODE = 0o600;

/**
 * Makes sure that the serving program can make the control socket at a path. One that a helper left behind is removed:
 * in its changed root it cannot reach the path when it ends. Throws a StartError.
 */
export function prepareControlSocket(path: string): void {
  const parent = new FileStatus();
  const noDirectory = lstat(cString(`${dirname(path)}/.`), parent);
  if (noDirectory < 0)
    throw new StartError(`cannot create the control socket ${path}: ${describeErrno(noDirectory)}`);
  if (lstat(cString(path), new FileStatus()) === -errno.ENOENT) return;
  // in a set-gid directory the group comes from the directory
  const inherited = (parent.mode & S_ISGID) === 0 ? undefined : parent.words[FileStatus.GID];
  removeStale(path, {
    type: SOCK_SEQPACKET,
    mode: CONTROL_MODE,
    uid: process.geteuid?.() ?? 0,
    gid: inherited ?? process.getegid?.() ?? 0,
  });
}
