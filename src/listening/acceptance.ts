import { createServer, type Server, type Socket } from 'node:net';
import { duplicate } from '../syscalls/process.js';
import { peerCredentials } from '../syscalls/sockets.js';

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

/**
 * Accepts clients of a listening socket.
 *
 * @param connected is given the socket of a client, and says whether to go on listening
 * @param refused is told the uid of a client that was sent away
 */
export function acceptClients(
  { descriptor: listening, clientUids, backlog }: ListeningSocket,
  connected: (descriptor: number) => boolean,
  refused: (uid: number | undefined) => void,
): Server {
  const server = createServer({ pauseOnConnect: true }, (socket: SocketWithHandle) => {
    const accepted = socket._handle?.fd ?? -1;
    const uid = peerCredentials(accepted)?.uid;
    if (!mayConnect(uid, clientUids)) {
      // told first: the client learns of it by the close
      refused(uid);
      socket.destroy();
      return;
    }
    const descriptor = duplicate(accepted);
    socket.destroy();
    if (!connected(descriptor)) server.close();
  });
  return server.listen({ fd: listening, backlog });
}
