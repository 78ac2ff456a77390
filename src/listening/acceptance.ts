import { createServer, type Socket } from 'node:net';
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

/**
 * Accepts the first client of a listening socket and then stops listening.
 *
 * @param clientUids who may connect besides root; undefined for everybody whom the socket's mode lets
 * @param refused is told the uid of a client that was sent away
 */
export function acceptOne(
  listening: number,
  clientUids: readonly number[] | undefined,
  connected: (descriptor: number) => void,
  refused: (uid: number | undefined) => void,
): void {
  const server = createServer({ pauseOnConnect: true }, (socket: SocketWithHandle) => {
    const accepted = socket._handle?.fd ?? -1;
    const uid = peerCredentials(accepted)?.uid;
    if (!mayConnect(uid, clientUids)) {
      socket.destroy();
      refused(uid);
      return;
    }
    server.close();
    const descriptor = duplicate(accepted);
    socket.destroy();
    connected(descriptor);
  });
  server.listen({ fd: listening, backlog: 1 });
}
