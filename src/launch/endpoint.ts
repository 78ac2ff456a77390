import { dirname } from 'node:path';
import { GuestCredentials } from '../credentials/guest-credentials.js';
import { StartError } from '../exit-status.js';
import { type ListeningSocket, mayConnect } from '../listening/acceptance.js';
import * as errno from '../syscalls/errno.js';
import { describeErrno } from '../syscalls/errno-text.js';
import { chmod, S_ISGID } from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import {
  bindUnix,
  chown,
  fchmod,
  listen,
  peerCredentials,
  SOCK_STREAM,
  unixSocket,
  unixSocketState,
} from '../syscalls/sockets.js';
import { FileStatus, lstat } from '../syscalls/status.js';
import { removeStale } from './stale-socket.js';

/** A socket that is ready for the client. */
export interface ReadySocket extends ListeningSocket {
  /** Or connected. */
  readonly listening: boolean;
}

/** How many clients may wait where there can be several: those of a listener, or of systemd's next helper. */
export const BACKLOG = 128;
/** Owner and group may connect, as with QEMU's own helper. */
const SOCKET_MODE = 0o770;
const OWNER_ONLY = 0o700;

/**
 * Checks a descriptor that the caller passed. Throws a StartError.
 *
 * @param origin how it was passed, for messages
 */
export function inheritedSocket(
  descriptor: number,
  origin: string,
  clientUids: readonly number[] | undefined,
): ReadySocket {
  const state = unixSocketState(descriptor);
  if (state === -errno.EBADF) throw new StartError(`${origin}: no such descriptor was passed`);
  if (state === 'listening' || state === 'connected') {
    if (state === 'connected' && !mayConnect(peerCredentials(descriptor)?.uid, clientUids)) {
      throw new StartError(`${origin}: the client is neither the user of --uid or --allow-uid nor root`);
    }
    return { descriptor, listening: state === 'listening', clientUids, backlog: BACKLOG };
  }
  throw new StartError(`${origin}: must be a connected or listening unix stream socket`);
}

/**
 * Creates a listening socket at a path, with its owner and mode from the first moment: bind(2) makes the file with the
 * effective ids and with the mode of the unbound socket, the umask being 0. Throws a StartError.
 */
export function listenAt(
  path: string,
  uid: number,
  gid: number,
  allowed: readonly number[],
  backlog: number,
): ReadySocket {
  const fail = (error: number): StartError =>
    new StartError(`cannot create the socket ${path}: ${describeErrno(error)}`);
  const socket = unixSocket(SOCK_STREAM);
  if (socket < 0) throw fail(socket);
  const name = cString(path);

  // in a set-gid directory the group comes from the directory: until that is put right, nobody but the owner
  const parent = new FileStatus();
  const inheritsGroup = lstat(cString(`${dirname(path)}/.`), parent) >= 0 && (parent.mode & S_ISGID) !== 0;
  fchmod(socket, inheritsGroup ? OWNER_ONLY : SOCKET_MODE);

  const credentials = new GuestCredentials(process.geteuid?.() ?? 0, process.getegid?.() ?? 0, (reason) => {
    throw new StartError(reason);
  });
  const bind = (): number => credentials.run(uid, gid, bindUnix, socket, path, undefined);
  let bound = bind();
  if (bound === -errno.EADDRINUSE) {
    removeStale(path, { type: SOCK_STREAM, mode: SOCKET_MODE, uid, gid });
    bound = bind();
  }
  if (bound < 0) throw fail(bound);
  if (inheritsGroup) {
    const changed = Math.min(chown(name, uid, gid), chmod(name, SOCKET_MODE));
    if (changed < 0) throw fail(changed);
  }
  const listening = listen(socket, backlog);
  if (listening < 0) throw fail(listening);
  return { descriptor: socket, listening: true, clientUids: [uid, ...allowed], backlog };
}
