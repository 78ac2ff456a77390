import { describeErrno } from '../abi/errno-text.js';
import { ownIpc, ownNetwork } from '../syscalls/privileged/namespaces.js';

/**
 * Takes the network of the host, its System V objects and message queues from this thread and what it becomes. Sockets
 * that are open go on.
 *
 * @returns why the network stays; undefined when it does not
 */
export function leaveNetwork(): string | undefined {
  ownIpc();
  const failed = ownNetwork();
  return failed < 0 ? describeErrno(failed) : undefined;
}
