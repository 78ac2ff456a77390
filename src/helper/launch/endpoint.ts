import { GuestCredentials, type Owner } from '../credentials/guest-credentials.js';
import { type Fail, StartError } from '../../startup/start-errors.js';
import { type ListeningSocket, mayConnect } from '../listening/acceptance.js';
import * as errno from '../../abi/errno.js';
import { describeErrno } from '../../abi/errno-text.js';
import { close } from '../../syscalls/files.js';
import {
  bindUnix,
  fchmod,
  listen,
  peerCredentials,
  SOCK_STREAM,
  unixSocket,
  unixSocketState,
} from '../../syscalls/sockets.js';
import { openPlace, pathIn } from '../../startup/place.js';
import { NEW, Staging } from '../../startup/staging.js';
import { removeStale } from '../../startup/stale-socket.js';

/** A socket that is ready for the client. */
export interface ReadySocket extends ListeningSocket {
  /** Or connected. */
  readonly listening: boolean;
}

/** How many clients may wait where there can be several: those of a listener, or of systemd's next helper. */
export const BACKLOG = 128;
/** Owner and group may connect, as with QEMU's own helper. */
const SOCKET_MODE = 0o770;

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
  if (state === -errno.EBADF)
    throw new StartError('socket-unsuitable', `${origin}: no such descriptor was passed`);
  if (state === 'listening' || state === 'connected') {
    if (state === 'connected' && !mayConnect(peerCredentials(descriptor)?.uid, clientUids)) {
      throw new StartError(
        'client-not-allowed',
        `${origin}: the client is neither the user of --uid or --allow-uid nor root`,
      );
    }
    return { descriptor, listening: state === 'listening', clientUids, backlog: BACKLOG };
  }
  throw new StartError('socket-unsuitable', `${origin}: must be a connected or listening unix stream socket`);
}

/**
 * Creates a listening socket at a path, with its owner and mode from the first moment: bind(2) makes the file with the
 * effective ids and with the mode of the unbound socket, the umask being 0. Throws a StartError.
 */
export function listenAt(
  path: string,
  owner: Owner,
  allowed: readonly number[],
  backlog: number,
): ReadySocket {
  const fail: Fail = (code, reason) => new StartError(code, `cannot create the socket ${path}: ${reason}`);
  const check = (result: number): number => {
    if (result < 0) throw fail('file-not-created', describeErrno(result));
    return result;
  };
  const socket = check(unixSocket(SOCK_STREAM));
  fchmod(socket, SOCKET_MODE);
  const credentials = new GuestCredentials(process.geteuid?.() ?? 0, process.getegid?.() ?? 0, (reason) => {
    throw new StartError('user-not-taken', reason);
  });
  const place = openPlace(path, fail);
  Staging.run(place, (staging) => {
    const name = pathIn(staging.directory, NEW);
    check(credentials.run(owner, bindUnix, socket, name));
    check(listen(socket, backlog));
    let published = staging.publish();
    if (published === -errno.EEXIST) {
      removeStale(place, staging, { mode: SOCKET_MODE, ...owner });
      published = staging.publish();
    }
    check(published);
  });
  close(place.directory);
  return { descriptor: socket, listening: true, clientUids: [owner.uid, ...allowed], backlog };
}
