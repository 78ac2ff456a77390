import { isServerControlPath } from '../observability/control-paths.js';
import type { HelperStatus } from '../observability/helper-status.js';
import type { ServerStatus } from '../observability/server-status.js';
import * as errno from '../abi/errno.js';
import { describeErrno } from '../abi/errno-text.js';
import { AT_FDCWD, close, O_PATH, openat, S_IFMT, S_IFSOCK } from '../syscalls/files.js';
import { cString, stableMemory } from '../syscalls/memory.js';
import { waitForInput } from '../syscalls/poll.js';
import {
  connectUnix,
  MAX_PATH_BYTES,
  peerCredentials,
  receive,
  SOCK_SEQPACKET,
  unixSocketThatWaitsForNothing,
} from '../syscalls/sockets.js';
import { FileStatus, fstat } from '../syscalls/status.js';
import { closeStranger, withoutLinger } from '../syscalls/stranger.js';
import { readAnswer } from './answers.js';

/** A helper answers between two requests; longer than this it only takes when it is stopped or a file system hangs. */
const PATIENCE_MS = 3000;
/** For all that are asked, of which many may be processes of somebody who only wants to keep us waiting. */
const PATIENCE_WITH_ALL_MS = 15_000;
const AT_ONCE = 64;
/** How often one is looked for that accepts nobody now. */
const AGAIN_MS = 50;
/** More than any answer, which is one message. */
const MAX_ANSWER_BYTES = 65_536;

/** Whom to ask. */
export interface Question {
  readonly path: string;
  /** The process that has to answer; undefined for any. */
  readonly pid?: number;
}

/** What came of asking. */
export type Answer<Status> =
  | { readonly status: Status }
  | {
      readonly status: undefined;
      /** Whether nothing is known of who should answer: nothing is there, somebody else is, or nobody asked. */
      readonly absent: boolean;
      readonly reason: string;
    };

/** Whether there is anything at the path. */
export const isThere = (answer: Answer<object>): boolean => answer.status !== undefined || !answer.absent;

export type AnyStatus = HelperStatus | ServerStatus;

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

/** Asks helpers and 9P servers, many at the same time, in a time that none of them can choose. */
export function ask(questions: readonly Question[]): Answer<AnyStatus>[] {
  const end = performance.now() + PATIENCE_WITH_ALL_MS;
  const answers: Answer<AnyStatus>[] = [];
  let open: Conversation[] = [];
  let next = 0;
  const begin = (): void => {
    for (; open.length < AT_ONCE && next < questions.length; next++) {
      const question = questions[next];
      if (question !== undefined) open.push(new Conversation(question, next, end));
    }
  };
  for (;;) {
    begin();
    if (open.length === 0) return answers;
    const going: Conversation[] = [];
    for (const conversation of open) {
      const answer = conversation.goOn();
      if (answer === undefined) going.push(conversation);
      else answers[conversation.number] = answer;
    }
    // where one has ended another begins at once
    if (going.length === open.length) {
      waitForInput(
        going.filter(({ isConnected }) => isConnected).map(({ socket }) => socket),
        AGAIN_MS,
      );
    }
    open = going;
  }
}

const message = stableMemory(MAX_ANSWER_BYTES);

/** One that is asked. */
class Conversation {
  readonly number: number;
  readonly socket = unixSocketThatWaitsForNothing(SOCK_SEQPACKET);
  readonly #question: Question;
  readonly #end: number;
  /** Too late to be asked at all. */
  readonly #isLate: boolean;
  #peer: number | undefined;

  /** @param end when all of them have to end */
  constructor(question: Question, number: number, end: number) {
    const now = performance.now();
    this.#question = question;
    this.number = number;
    this.#end = Math.min(now + PATIENCE_MS, end);
    this.#isLate = now >= end;
  }

  get isConnected(): boolean {
    return this.#peer !== undefined;
  }

  /** @returns undefined while there is no answer */
  goOn(): Answer<AnyStatus> | undefined {
    const answer = this.#isLate ? notAsked : (this.#connect() ?? this.#receive());
    if (answer !== undefined) closeStranger(this.socket);
    return answer;
  }

  #connect(): Answer<never> | undefined {
    if (this.#peer !== undefined) return undefined;
    const { path, pid } = this.#question;
    if (Buffer.byteLength(path) > MAX_PATH_BYTES) return failure(path, -errno.ENOENT);
    const connected = connectUnix(this.socket, path);
    if (connected < 0) return this.#failure(connected);
    this.#peer = peerCredentials(this.socket)?.pid ?? 0;
    if (pid === undefined || pid === this.#peer) return undefined;
    return {
      status: undefined,
      absent: true,
      reason: `another process answers there, not pid ${pid}`,
    };
  }

  #receive(): Answer<AnyStatus> | undefined {
    if (this.#peer === undefined) return undefined;
    const bytes = withoutLinger(() => receive(this.socket, message, MAX_ANSWER_BYTES));
    if (bytes <= 0) return this.#failure(bytes);
    const { path } = this.#question;
    const status = readAnswer(message.slice(0, bytes));
    if (status === undefined) return isNo(processAt(path));
    // the kernel knows better, and what the pid is here and not in a container; nothing, where it is none here
    return { status: this.#peer === 0 ? status : { ...status, pid: this.#peer } };
  }

  #failure(result: number): Answer<never> | undefined {
    const waits = result === -errno.EAGAIN && performance.now() < this.#end;
    return waits ? undefined : failure(this.#question.path, result);
  }
}

const notAsked: Answer<never> = {
  status: undefined,
  absent: true,
  reason: `was not asked, as others had not answered after ${PATIENCE_WITH_ALL_MS / 1000} seconds`,
};

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
    absent: bytes === -errno.ENOENT || bytes === -errno.ENOTDIR,
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
