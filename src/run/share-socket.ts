import type { ServerConfiguration } from '../server/cli/configuration.js';
import { connectedPeer, mayConnect, type Peer } from '../server/transports/acceptance.js';
import { type ClientSocket, openClientSocket, type OpenedSocket } from '../server/transports/listening.js';
import { StartError, usageError } from '../startup/start-errors.js';
import { complain } from '../startup/journal.js';
import type { PlannedPeers } from './share-plan.js';

/**
 * The socket that guests come from. Throws a StartError, also when the one who is connected may not be.
 *
 * @param command whose help tells of the options
 */
export function openShareSocket(
  server: ServerConfiguration,
  { owner, allowed }: PlannedPeers,
  command: string,
): OpenedSocket {
  const { origin } = server.address;
  const opened = openClientSocket(server.address, owner);
  const { client } = opened;
  checkPeerOptions(server, client, command);
  if (client.kind === 'vsock' && client.listening && allowed.cids === undefined)
    complain('warn', `${origin}: every virtual machine of this host may connect; see --allow-cid`);
  if (!client.listening) {
    const peer = connectedPeer(client.kind, client.descriptor);
    if (peer === undefined || !mayConnect(peer, allowed))
      throw new StartError(
        'client-not-allowed',
        `${origin}: ${describe(peer)} may not connect; see ${optionsOf(client.kind)}`,
      );
  }
  return opened;
}

/** What a passed socket is becomes known here only: an option that says nothing of its clients would let everybody in. */
function checkPeerOptions(
  { address, uid, allowedUsers, allowedCids }: ServerConfiguration,
  client: ClientSocket,
  command: string,
): void {
  const wrong = (option: string, kind: string): Error =>
    usageError(`${address.origin}: is no socket of ${kind}, which ${option} is for`, command);
  if (client.kind !== 'unix' && uid !== undefined) throw wrong('--uid', 'unix(7)');
  if (client.kind !== 'unix' && allowedUsers.length > 0) throw wrong('--allow-uid', 'unix(7)');
  if (client.kind !== 'vsock' && allowedCids !== undefined) throw wrong('--allow-cid', 'vsock(7)');
}

function describe({ uid, cid }: Peer = {}): string {
  if (uid !== undefined) return `user ${uid}`;
  return cid === undefined ? 'a client that has gone' : `the machine with CID ${cid}`;
}

function optionsOf(kind: ClientSocket['kind']): string {
  return kind === 'vsock' ? '--allow-cid' : '--uid and --allow-uid';
}
