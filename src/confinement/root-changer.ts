import * as errno from '../abi/errno.js';
import { describeErrno } from '../abi/errno-text.js';
import { StartError } from '../startup/start-errors.js';
import { close } from '../syscalls/files.js';
import { stableMemory, wordsOf } from '../syscalls/memory.js';
import { CapabilitySets } from '../syscalls/privileged/credentials.js';
import {
  dieWithParent,
  exitNow,
  forkSharingRoot,
  type ProcessEnd,
  waitForChild,
} from '../syscalls/process.js';
import { receiveUninterrupted, send, setReceiveTimeout, socketPair } from '../syscalls/sockets.js';
import type { Capability } from './capabilities.js';

/**
 * Changing the root without ever having the right to.
 *
 * A program that serves somebody shall not have CAP_SYS_CHROOT on any of its threads, but Node has threads of its own before
 * the first line of JavaScript runs, and a capability cannot be taken from another thread. So the starting process
 * forks a root changer, which shares root and working directory with it (CLONE_FS) and keeps just what that takes,
 * and then becomes the serving program by an exec without it. When that has loaded all that it needs it asks, and
 * finds itself in another root.
 */
export interface RootChanger {
  /** Our end of the socket to it. */
  readonly socket: number;
  readonly pid: number;
}

/** It has little to do. */
const ANSWER_MS = 30_000;

/** What a root changer answers: two numbers, 0 or -errno each. */
const ANSWER_BYTES = 8;
export interface RootChange {
  readonly failed: number;
  /** What was to be taken from the root besides, or 0. */
  readonly restricted: number;
}

/**
 * Forks a root changer. Throws a StartError.
 *
 * @param needed what it keeps
 * @param change changes the root, later and in the other process: it may make system calls and allocate, not more
 */
export function forkRootChanger(needed: readonly Capability[], change: () => RootChange): RootChanger {
  const pair = socketPair();
  if (typeof pair === 'number')
    throw new StartError('out-of-resources', `cannot make a socket pair: ${describeErrno(pair)}`);
  const [ours, theirs] = pair;
  const byte = stableMemory(1);
  const answer = stableMemory(ANSWER_BYTES);
  const capabilities = new CapabilitySets();
  capabilities.read();
  capabilities.permitted &= needed.reduce((mask, { number }) => mask | (1n << BigInt(number)), 0n);
  capabilities.setEffective(capabilities.permitted);

  const pid = forkSharingRoot();
  if (pid < 0) throw new StartError('out-of-resources', `cannot fork: ${describeErrno(pid)}`);
  if (pid === 0) {
    // a child that nobody asks, because the start failed, sees its socket close and ends
    dieWithParent();
    close(ours);
    const limited = capabilities.apply();
    if (receiveUninterrupted(theirs, byte, 1) !== 1) exitNow(0);
    const { failed, restricted } = limited < 0 ? { failed: limited, restricted: 0 } : change();
    wordsOf(answer).set([failed, restricted]);
    send(theirs, answer, ANSWER_BYTES);
    exitNow(0);
  }
  close(theirs);
  return { socket: ours, pid };
}

/**
 * Has the root changed. Throws a StartError when it is not.
 *
 * @param what could not be done then
 * @returns `restricted` of the change: 0 or -errno
 */
export function askRootChanger(changer: RootChanger, what: string): number {
  const answer = stableMemory(ANSWER_BYTES);
  setReceiveTimeout(changer.socket, ANSWER_MS);
  send(changer.socket, stableMemory(1), 1);
  const received = receiveUninterrupted(changer.socket, answer, ANSWER_BYTES);
  close(changer.socket);
  // one that hangs is not waited for
  const end = received === -errno.EAGAIN ? undefined : waitForChild(changer.pid);
  const [failed = 0, restricted = 0] = new Int32Array(answer.buffer);
  if (received === ANSWER_BYTES && failed >= 0) return restricted;
  const why = received === ANSWER_BYTES ? describeErrno(failed) : howItEnded(end);
  throw new StartError('root-not-changed', `${what}: ${why}`);
}

function howItEnded(end: ProcessEnd | undefined): string {
  const which = 'the process that changes the root';
  if (end === undefined) return `${which} has not answered for ${ANSWER_MS / 1000} s`;
  if (end.signal !== null) return `${which} was killed by ${end.signal}`;
  // for a daemon it is the child of the process that forked both, and no longer ours to wait for
  return end.status === null ? `${which} has ended` : `${which} ended with status ${end.status}`;
}
