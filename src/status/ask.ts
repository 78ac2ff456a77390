import type { HelperStatus } from '../observability/helper-status.js';
import * as errno from '../syscalls/errno.js';
import { describeErrno } from '../syscalls/errno-text.js';
import { AT_FDCWD, close, O_PATH, openat, S_IFMT, S_IFSOCK } from '../syscalls/files.js';
import { cString, stableMemory } from '../syscalls/memory.js';
import {
  connectUnix,
  peerCredentials,
  receiveWaiting,
  setReceiveTimeout,
  setSendTimeout,
  SOCK_SEQPACKET,
  unixSocket,
} from '../syscalls/sockets.js';
import { FileStatus, fstat } from '../syscalls/status.js';

/** A helper answers between two requests; longer than this it only takes when it is stopped or a file system hangs. */
const PATIENCE_MS = 3000;
/** More than any answer, which is one message. */
const MAX_ANSWER_BYTES = 65_536;

/** What came of asking a helper. */
export type Answer =
  | { readonly status: HelperStatus }
  | { readonly status: undefined; readonly absent: boolean; readonly reason: string };

/**
 * Asks the helper whose control socket is at a path of at most 107 bytes.
 *
 * @param pid the process that has to answer; undefined for any
 */
export function askHelper(path: string, pid?: number): Answer {
  const socket = unixSocket(SOCK_SEQPACKET);
  setSendTimeout(socket, PATIENCE_MS);
  setReceiveTimeout(socket, PATIENCE_MS);
  const message = stableMemory(MAX_ANSWER_BYTES);
  const connected = connectUnix(socket, path);
  const isOther = pid !== undefined && connected >= 0 && peerCredentials(socket)?.pid !== pid;
  if (isOther) {
    close(socket);
    return { status: undefined, absent: false, reason: `another process answers there, not pid ${pid}` };
  }
  const bytes = connected < 0 ? connected : receiveWaiting(socket, message, MAX_ANSWER_BYTES);
  close(socket);
  return bytes > 0 ? decode(message.slice(0, bytes)) : failure(path, bytes);
}

function decode(message: Uint8Array): Answer {
  try {
    const status: unknown = JSON.parse(new TextDecoder().decode(message));
    if (isHelperStatus(status)) return { status };
  } catch {
    // no JSON
  }
  return { status: undefined, absent: false, reason: 'what answers there is no helper' };
}

/** Whether an answer is that of a helper: the fields that are shown are there. */
function isHelperStatus(answer: unknown): answer is HelperStatus {
  if (typeof answer !== 'object' || answer === null) return false;
  const fields = ['pid', 'export', 'uptime', 'client', 'descriptors', 'operations'];
  return fields.every((field) => field in answer);
}

function failure(path: string, bytes: number): Answer {
  const reasons: Readonly<Record<number, string>> = {
    0: 'the helper has just ended',
    [-errno.ECONNREFUSED]: isSocket(path) ? 'the helper has ended; its socket is left' : 'is no socket',
    [-errno.EAGAIN]: `no answer for ${PATIENCE_MS / 1000} seconds: the process is stopped, or the file system does not answer it`,
    [-errno.EPROTOTYPE]: 'this is the socket of a client, not the one of --control',
  };
  return {
    status: undefined,
    absent: bytes === -errno.ENOENT,
    reason: reasons[bytes] ?? describeErrno(bytes),
  };
}

/** To connect to anything else is refused, too. */
function isSocket(path: string): boolean {
  const status = new FileStatus();
  const object = openat(AT_FDCWD, cString(path), O_PATH, 0);
  const found = object < 0 ? object : fstat(object, status);
  if (object >= 0) close(object);
  return found < 0 || (status.mode & S_IFMT) === S_IFSOCK;
}
