import type { Configuration } from '../cli/configuration.js';
import { StartError } from '../../startup/start-errors.js';
import { groupId, userId } from '../../startup/accounts.js';
import { BACKLOG, inheritedSocket, listenFor, type ReadySocket } from './endpoint.js';

/**
 * The socket that the options ask for. Throws a StartError.
 *
 * @param isRoot whether it may be for others than the caller
 */
export async function readySocket(
  { endpoint, keepListening }: Configuration,
  isRoot = true,
): Promise<ReadySocket> {
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const owner = endpoint.uid === undefined ? undefined : await userId(endpoint.uid, '--uid');
  const group = endpoint.gid === undefined ? own.gid : await groupId(endpoint.gid);
  const allowed: number[] = [];
  for (const user of endpoint.allowed) allowed.push(await userId(user, '--allow-uid'));
  // in his user namespace all others look the same
  if (!isRoot && (group !== own.gid || [owner ?? own.uid, ...allowed].some((uid) => uid !== own.uid))) {
    throw new StartError(
      'root-required',
      '--uid, --gid and --allow-uid: only root can open the socket to somebody else',
    );
  }
  if (endpoint.kind === 'descriptor') {
    // the caller made the socket and its permissions; who connects is checked only when somebody was named
    const named = owner === undefined ? allowed : [owner, ...allowed];
    return inheritedSocket(endpoint.descriptor, endpoint.origin, named.length > 0 ? named : undefined);
  }
  const socketOwner = { uid: owner ?? own.uid, gid: group };
  return listenFor(endpoint.path, socketOwner, allowed, keepListening ? BACKLOG : 1);
}
