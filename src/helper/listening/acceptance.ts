import { createServer, type Socket } from 'node:net';
import { duplicate } from '../../syscalls/process.js';
import { peerCredentials } from '../../syscalls/sockets.js';
import { closeStranger, withoutLinger } from '../../syscalls/stranger.js';

/** A socket of Node that tells its descriptor, which is not part of its public interface. */
interface SocketWithHandle extends Socket {
  readonly _handle?: { readonly fd: number };
}

const ROOT = 0;

/** @param allowed who may connect besides root; undefined for everybody */
export function mayConnect(uid: number | undefined, allowed: readonly number[] | undefined): boolean {
  return allowed === undefined || uid === ROOT || (uid !== undefined && allowed.includes(uid));
}

/** What is accepted from. */
export interface ListeningSocket {
  readonly descriptor: number;
  /** Who may connect besides root; undefined for everybody whom the socket's mode lets. */
  readonly clientUids: readonly number[] | undefined;
  /** How many may wait to be accepted: listen(2). */
  readonly backlog: number;
}

/** Stops accepting. */
export interface Acceptance {
  close: () => void;
}

/**
 * Accepts clients of a listening socket.
 *
 * @param connected is given the socket of a client and its uid, and says whether to go on listening
 * @param refused is told the uid of a client that was sent away
 */
export function acceptClients(
  { descriptor: listening, clientUids, backlog }: ListeningSocket,
  connected: (descriptor: number, uid: number) => boolean,
  refused: (uid: number | undefined) => void,
): Acceptance {
  // with the clients in its backlog
  const close = (): void => {
    withoutLinger(() => server.close());
  };
  const server = createServer({ pauseOnConnect: true }, (socket: SocketWithHandle) => {
    const descriptor = duplicate(socket._handle?.fd ?? -1);
    withoutLinger(() => socket.destroy());
    const uid = peerCredentials(descriptor)?.uid;
    if (uid === undefined || !mayConnect(uid, clientUids)) {
      // told first: the client learns of it by the close
      refused(uid);
      closeStranger(descriptor);
    } else if (!connected(descriptor, uid)) close();
  });
  server.listen({ fd: listening, backlog });
  return { close };
}
