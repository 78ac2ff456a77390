import type * as unixSocket from 'node-unix-socket';
import { StartError } from '../../startup/start-errors.js';
import type { HelperStatus } from '../../observability/helper-status.js';
import { loadPackage } from '../../native/load.js';
import { describeErrno } from '../../abi/errno-text.js';
import { close, umask, unlink } from '../../syscalls/files.js';
import { cString } from '../../syscalls/memory.js';
import { bindUnix, SOCK_SEQPACKET, unixSocket as makeSocket } from '../../syscalls/sockets.js';

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
  const place = `/proc/self/fd/${directory}/${name}`;
  const before = umask(OWNER_ONLY);
  try {
    server.listen(place, BACKLOG);
  } catch {
    throw new StartError('file-not-created', `cannot create the control socket ${path}: ${whyNot(place)}`);
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

/** Why a socket cannot be made at a path, which the package does not tell: the kernel is asked again. */
function whyNot(path: string): string {
  const probe = makeSocket(SOCK_SEQPACKET);
  const failed = probe < 0 ? probe : bindUnix(probe, path);
  if (probe >= 0) close(probe);
  if (failed < 0) return describeErrno(failed);
  unlink(cString(path));
  return 'it failed once, for a reason that has passed; start it again';
}
