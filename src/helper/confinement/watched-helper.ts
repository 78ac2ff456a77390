import { close } from '../../syscalls/files.js';
import { stableMemory, wordsOf } from '../../syscalls/memory.js';
import { openProcess } from '../../syscalls/process.js';
import { receiveUninterrupted, send, setReceiveTimeout } from '../../syscalls/sockets.js';

/**
 * How the process that follows the host's mounts and its helper get to know each other, over a socket that both close
 * afterwards. The helper tells its pid, and is told when its mounts are the host's: it serves nobody before.
 *
 * The end of the helper is not told by a descriptor of its own: one that was taken over could give it to somebody else, and
 * what follows the mounts, as root, would stay for as long as that one.
 */
const PID_BYTES = 4;

/** The first look takes milliseconds, and the start of its program more. */
const ANSWER_MS = 30_000;

/** For the helper, once it is the process that serves. @returns whether its mounts are followed */
export function introduceHelper(socket: number): boolean {
  const message = stableMemory(PID_BYTES);
  wordsOf(message)[0] = process.pid;
  setReceiveTimeout(socket, ANSWER_MS);
  send(socket, message, PID_BYTES);
  const received = receiveUninterrupted(socket, message, 1);
  close(socket);
  return received === 1;
}

/**
 * For the process that follows its mounts: waits for the helper.
 *
 * @returns a pidfd, or a negative number when it has ended
 */
export function meetHelper(socket: number): number {
  const message = stableMemory(PID_BYTES);
  const received = receiveUninterrupted(socket, message, PID_BYTES);
  return received === PID_BYTES ? openProcess(wordsOf(message)[0] ?? 0) : -1;
}

/** Tells the helper that its mounts are the host's. */
export function answerHelper(socket: number): void {
  send(socket, stableMemory(1), 1);
  close(socket);
}
