import { acceptFrom, type Acceptance } from '../../accepting/acceptance.js';
import { listen, peerCredentials } from '../../syscalls/sockets.js';

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
 * Accepts users of this host, who are the clients of a helper.
 *
 * @param connected is given the socket of a client and its uid, and says whether to go on listening
 * @param refused is told the uid of a client that was sent away
 */
export function acceptUsers(
  { descriptor, clientUids, backlog }: ListeningSocket,
  connected: (descriptor: number, uid: number) => boolean,
  refused: (uid: number | undefined) => void,
): Acceptance {
  // one that was passed may have room for fewer
  listen(descriptor, backlog);
  return acceptFrom(descriptor, {
    identify: (client) => peerCredentials(client)?.uid,
    admits: (uid) => mayConnect(uid, clientUids),
    connected,
    refused,
  });
}
