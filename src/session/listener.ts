import { createServer, type Socket } from 'node:net';
import { duplicate } from '../syscalls/process.js';
import { peerCredentials } from '../syscalls/sockets.js';

/** A socket of Node that tells its descriptor, which is not part of its public interface. */
interface SocketWithHandle extends Socket {
  readonly _handle?: { readonly fd: number };
}

const ROOT = 0;

/**
 * Accepts the first client of a listening socket and then stops listening.
 *
 * @param clientUid who may connect besides root; undefined for everybody whom the socket's mode lets
 * @param refused is told the uid of a client that was sent away
 */
export function acceptOne(
  listening: number,
  clientUid: number | undefined,
  connected: (descriptor: number) => void,
  refused: (uid: number | undefined) => void,
): void {
  const server = createServer({ pauseOnConnect: true }, (socket: SocketWithHandle) => {
    const accepted = socket._handle?.fd ?? -1;
    const uid = peerCredentials(accepted)?.uid;
    if (clientUid !== undefined && uid !== ROOT && uid !== clientUid) {
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
