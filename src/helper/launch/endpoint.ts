import { StartError } from '../../startup/start-errors.js';
import { listenAt, type SocketOwner } from '../../startup/socket-file.js';
import { type ListeningSocket, mayConnect } from '../listening/acceptance.js';
import * as errno from '../../abi/errno.js';
import { peerCredentials, unixSocketState } from '../../syscalls/sockets.js';

/** A socket that is ready for the client. */
export interface ReadySocket extends ListeningSocket {
  /** Or connected. */
  readonly listening: boolean;
}

/** How many clients may wait where there can be several: those of a listener, or of systemd's next helper. */
export const BACKLOG = 128;

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

/** Makes a listening socket at a path. Throws a StartError. */
export function listenFor(
  path: string,
  owner: SocketOwner,
  allowed: readonly number[],
  backlog: number,
): ReadySocket {
  const { descriptor, file } = listenAt(path, owner, backlog);
  // the path may be out of reach when the helper ends
  file.release();
  return { descriptor, listening: true, clientUids: [owner.uid, ...allowed], backlog };
}
