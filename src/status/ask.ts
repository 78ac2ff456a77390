import { isServerControlPath } from '../observability/control-paths.js';
import type { HelperStatus } from '../observability/helper-status.js';
import type { ServerStatus, Transport } from '../observability/server-status.js';
import * as errno from '../abi/errno.js';
import { describeErrno } from '../abi/errno-text.js';
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

/** What came of asking. */
export type Answer<Status> =
  | { readonly status: Status }
  | { readonly status: undefined; readonly absent: boolean; readonly reason: string };

/** Whether there is anything at the path. */
export const isThere = (answer: Answer<object>): boolean => answer.status !== undefined || !answer.absent;

type AnyStatus = HelperStatus | ServerStatus;

export const isOfServer = (status: AnyStatus | undefined): status is ServerStatus =>
  status !== undefined && 'messages' in status;

/** An answer that only a helper may give. */
export function ofHelper(answer: Answer<AnyStatus>): Answer<HelperStatus> {
  if (answer.status === undefined) return answer;
  return isOfServer(answer.status) ? isNo('helper') : { status: answer.status };
}

/** The same of a 9P server. */
export function ofServer(answer: Answer<AnyStatus>): Answer<ServerStatus> {
  if (answer.status === undefined) return answer;
  return isOfServer(answer.status) ? { status: answer.status } : isNo('9P server');
}

function isNo(who: string): Answer<never> {
  return { status: undefined, absent: false, reason: `what answers there is no ${who}` };
}

/**
 * Asks the helper or the 9P server whose control socket is at a path of at most 107 bytes.
 *
 * @param pid the process that has to answer; undefined for any
 */
export function ask(path: string, pid?: number): Answer<AnyStatus> {
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
  return bytes > 0 ? decode(path, message.slice(0, bytes)) : failure(path, bytes);
}

function decode(path: string, message: Uint8Array): Answer<AnyStatus> {
  try {
    const status: unknown = JSON.parse(new TextDecoder().decode(message));
    if (isHelperStatus(status) || isServerStatus(status)) return { status };
  } catch {
    // no JSON
  }
  return isNo(processAt(path));
}

const LATENCIES = { count: 0, sum: 0, p50: 0, p90: 0, p99: 0, below: [0] };
const OPERATION = { requests: 0, errors: 0, bytesReceived: 0, bytesSent: 0, latency: LATENCIES };
const CLIENT = { pid: 0, uid: 0 };
const HELPER = {
  ...{ pid: 0, export: '', readOnly: false, uptime: 0, logLinesLost: 0, operations: {} },
  descriptors: { passed: 0, held: 0 },
};

const SERVER = {
  ...{ pid: 0, uptime: 0, transport: '', connected: false, logLinesLost: 0, messages: {} },
  ...{ fids: 0, openFiles: 0, descriptors: 0, locks: 0, fileBytes: { read: 0, written: 0 } },
  helper: { requests: 0, trips: 0, replacements: 0 },
};
const transports: readonly unknown[] = ['unix', 'tcp', 'vsock', 'vhost-user'] satisfies Transport[];
const dialects: readonly unknown[] = [null, '9P2000', '9P2000.u', '9P2000.L'];

/**
 * Whether an answer is that of a helper. Any user's process may pass for one, and what it says is shown on root's
 * terminal and in metrics: so numbers have to be numbers, and names those of operations.
 */
function isHelperStatus(answer: unknown): answer is HelperStatus {
  if (!isLike(answer, HELPER)) return false;
  const { client, operations } = answer as { client?: unknown; operations: object };
  return isClient(client) && areOperations(operations);
}

/** The same of a 9P server, which a guest may have taken over. */
function isServerStatus(answer: unknown): answer is ServerStatus {
  if (!isLike(answer, SERVER)) return false;
  const { client, transport, dialect, msize, messages } = answer as {
    [field: string]: unknown;
    messages: object;
  };
  return (
    isClient(client) &&
    transports.includes(transport) &&
    dialects.includes(dialect) &&
    (msize === null || isLike(msize, 0)) &&
    areOperations(messages)
  );
}

const isClient = (client: unknown): boolean => client === null || isLike(client, CLIENT);

function areOperations(operations: object): boolean {
  return Object.entries(operations).every(
    ([name, value]) => /^[A-Za-z]+$/.test(name) && isLike(value, OPERATION),
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

function failure(path: string, bytes: number): Answer<never> {
  const who = processAt(path);
  const reasons: Readonly<Record<number, string>> = {
    0: `the ${who} has just ended`,
    [-errno.ECONNREFUSED]: isSocket(path) ? `the ${who} has ended; its socket is left` : 'is no socket',
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

/** What should answer at a path. */
function processAt(path: string): string {
  return isServerControlPath(path) ? '9P server' : 'helper';
}
