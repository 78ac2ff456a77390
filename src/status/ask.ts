import type { HelperStatus } from '../observability/helper-status.js';
import * as errno from '../syscalls/errno.js';
import { describeErrno } from '../syscalls/errno-text.js';
import { close } from '../syscalls/files.js';
import { stableMemory } from '../syscalls/memory.js';
import {
  connectUnix,
  receiveWaiting,
  setReceiveTimeout,
  setSendTimeout,
  SOCK_SEQPACKET,
  unixSocket,
} from '../syscalls/sockets.js';

/** A helper answers between two requests; longer than this it only takes when it is stopped or a file system hangs. */
const PATIENCE_MS = 3000;
/** More than any answer, which is one message. */
const MAX_ANSWER_BYTES = 65_536;

/** What came of asking a helper. */
export type Answer =
  | { readonly status: HelperStatus }
  | { readonly status: undefined; readonly absent: boolean; readonly reason: string };

/** Asks the helper whose control socket is at a path of at most 107 bytes. */
export function askHelper(path: string): Answer {
  const socket = unixSocket(SOCK_SEQPACKET);
  setSendTimeout(socket, PATIENCE_MS);
  setReceiveTimeout(socket, PATIENCE_MS);
  const message = stableMemory(MAX_ANSWER_BYTES);
  const connected = connectUnix(socket, path);
  const bytes = connected < 0 ? connected : receiveWaiting(socket, message, MAX_ANSWER_BYTES);
  close(socket);
  return bytes > 0 ? decode(message.slice(0, bytes)) : failure(bytes);
}

function decode(message: Uint8Array): Answer {
  try {
    return { status: JSON.parse(new TextDecoder().decode(message)) as HelperStatus };
  } catch {
    return { status: undefined, absent: false, reason: 'what answers there is no helper' };
  }
}

function failure(bytes: number): Answer {
  const reasons: Readonly<Record<number, string>> = {
    0: 'the helper has just ended',
    [-errno.ECONNREFUSED]: 'the helper has ended; its socket is left',
    [-errno.EAGAIN]: `no answer for ${PATIENCE_MS / 1000} seconds: the process is stopped, or the file system does not answer it`,
    [-errno.EPROTOTYPE]: 'this is the socket of a client, not the one of --control',
  };
  return {
    status: undefined,
    absent: bytes === -errno.ENOENT,
    reason: reasons[bytes] ?? describeErrno(bytes),
  };
}
