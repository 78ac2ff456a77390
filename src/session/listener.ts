import { createServer, type Socket } from 'node:net';
import { duplicate } from '../syscalls/process.js';

/** A socket of Node that tells its descriptor, which is not part of its public interface. */
interface SocketWithHandle extends Socket {
  readonly _handle?: { readonly fd: number };
}

/** Accepts the first client of a listening socket and then stops listening. */
export function acceptOne(listening: number, connected: (descriptor: number) => void): void {
  const server = createServer({ pauseOnConnect: true }, (socket: SocketWithHandle) => {
    server.close();
    const descriptor = duplicate(socket._handle?.fd ?? -1);
    socket.destroy();
    connected(descriptor);
  });
  server.listen({ fd: listening, backlog: 1 });
}
