import type { HelperStatus } from '../../observability/helper-status.js';
import * as errno from '../../abi/errno.js';
import { describeErrno } from '../../abi/errno-text.js';
import { AT_FDCWD, close, O_PATH, openat, S_IFMT, S_IFSOCK } from '../../syscalls/files.js';
import { cString, stableMemory } from '../../syscalls/memory.js';
import {
  connectUnix,
  peerCredentials,
  receiveWaiting,
  setReceiveTimeout,
  setSendTimeout,
  SOCK_SEQPACKET,
  unixSocket,
} from '../../syscalls/sockets.js';
import { FileStatus, fstat } from '../../syscalls/status.js';

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

const LATENCIES = { count: 0, sum: 0, p50: 0, p90: 0, p99: 0, below: [0] };
const OPERATION = { requests: 0, errors: 0, bytesReceived: 0, bytesSent: 0, latency: LATENCIES };
const CLIENT = { pid: 0, uid: 0 };
const STATUS = {
  ...{ pid: 0, export: '', readOnly: false, uptime: 0, logLinesLost: 0, operations: {} },
  descriptors: { passed: 0, held: 0 },
};

/**
 * Whether an answer is that of a helper. Any user's process may pass for one, and what it says is shown on root's
 * terminal and in metrics: so numbers have to be numbers, and names those of operations.
 */
function isHelperStatus(answer: unknown): answer is HelperStatus {
  if (!isLike(answer, STATUS)) return false;
  const { client, operations } = answer as { client?: unknown; operations: object };
  return (
    (client === null || isLike(client, CLIENT)) &&
    Object.entries(operations).every(([name, value]) => /^[a-z]+$/.test(name) && isLike(value, OPERATION))
  );
}

/** Whether a value has all fields of an example, with the same types. An array's elements are like the example's one. */
function isLike(value: unknown, example: unknown): boolean {
  if (typeof example === 'number') return Number.isFinite(value);
  if (typeof example !== 'object' || example === null) return typeof value === typeof example;
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(example)) {
    return Array.isArray(value) && value.every((element) => isLike(element, example[0]));
  }
  const fields = new Map(Object.entries(value));
  return Object.entries(example).every(([name, field]) => isLike(fields.get(name), field));
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
