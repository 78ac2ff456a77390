import type { Configuration } from '../cli/configuration.js';
import { groupId, userId } from './accounts.js';
import { BACKLOG, inheritedSocket, listenAt, type ReadySocket } from './endpoint.js';

/** The socket that the options ask for. Throws a StartError. */
export async function readySocket({ endpoint, keepListening }: Configuration): Promise<ReadySocket> {
  const { uid, gid } = endpoint;
  const owner = uid === undefined ? undefined : await userId(uid, '--uid');
  const allowed: number[] = [];
  for (const user of endpoint.allowed) allowed.push(await userId(user, '--allow-uid'));
  if (endpoint.kind === 'descriptor') {
    // the caller made the socket and its permissions; who connects is checked only when somebody was named
    const named = owner === undefined ? allowed : [owner, ...allowed];
    return inheritedSocket(endpoint.descriptor, endpoint.origin, named.length > 0 ? named : undefined);
  }
  const group = gid === undefined ? (process.getgid?.() ?? 0) : await groupId(gid);
  return listenAt(
    endpoint.path,
    owner ?? process.getuid?.() ?? 0,
    group,
    allowed,
    keepListening ? BACKLOG : 1,
  );
}
