import { declareInt } from '../libc.js';

/** Namespaces of the calling thread and of what it becomes: namespaces(7). All return 0 or -errno. */

const libc = { unshare: declareInt('unshare', 'int') };

const CLONE_NEWIPC = 0x800_0000;
const CLONE_NEWUTS = 0x400_0000;
const CLONE_NEWNET = 0x4000_0000;

/** A network without any interface. Sockets that are open keep the one that they have. */
export function ownNetwork(): number {
  return libc.unshare(CLONE_NEWNET);
}

/** No System V objects and message queues of others, and a host name of its own. */
export function ownIpc(): number {
  return libc.unshare(CLONE_NEWIPC | CLONE_NEWUTS);
}
