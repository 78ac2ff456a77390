import { SOCK_SEQPACKET } from '../syscalls/sockets.js';
import { openPlace, type Place } from './place.js';
import { cannotCreate, type ListeningSocket, listenAt, type SocketKind } from './socket-file.js';

/** For the owner alone. Who answers there is `accepting/answers.ts`. */
const control: SocketKind = { name: 'control socket', type: SOCK_SEQPACKET, mode: 0o600 };

/** Nobody is answered before the serving program listens, too. */
const BACKLOG = 8;

/** Where a control socket is to be. Throws a StartError. */
export function controlPlace(path: string): Place {
  return openPlace(path, cannotCreate(control.name, path));
}

/**
 * Makes a control socket, in place of one that was left behind: in a changed root a process cannot reach the path when it
 * ends. The umask has to be 0. Throws a StartError.
 */
export function openControlSocket(path: string): ListeningSocket {
  const owner = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  return listenAt(path, owner, BACKLOG, control);
}
