import type * as unixSocket from 'node-unix-socket';
import { StartError } from '../exit-status.js';
import type { HelperStatus } from '../observability/helper-status.js';
import { loadPackage } from '../native/load.js';
import { close, umask } from '../syscalls/files.js';

const { SeqpacketServer } = loadPackage('node-unix-socket') as typeof unixSocket;

/** Takes every right from group and others, and that to execute from the owner. */
const OWNER_ONLY = 0o177;
/** How many may wait to be answered. */
const BACKLOG = 8;

/** Where the socket is to be: a name in a directory that is open. `path` is for messages. */
export interface ControlPlace {
  readonly path: string;
  readonly directory: number;
  readonly name: string;
}

/**
 * Listens on a socket of its own for those who want to know what the helper does: everybody who connects gets one
 * message, the status as JSON, and is gone. Nothing is read from them, and nothing waits for them: what the socket does
 * not take at once is not sent.
 *
 * To be called before the root is changed. The directory is closed. Throws a StartError.
 */
export function openControlSocket({ path, directory, name }: ControlPlace, status: () => HelperStatus): void {
  const server = new SeqpacketServer();
  const before = umask(OWNER_ONLY);
  try {
    server.listen(`/proc/self/fd/${directory}/${name}`, BACKLOG);
  } catch {
    // the package does not tell the reason; `launch/` has looked for all likely ones
    throw new StartError(`cannot create the control socket ${path}`);
  } finally {
    umask(before);
    close(directory);
  }
  server.on('connection', (client: unixSocket.SeqpacketSocket) => {
    // it did not wait for the answer
    client.on('error', () => undefined);
    client.write(Buffer.from(JSON.stringify(status())));
    client.destroy();
  });
}
