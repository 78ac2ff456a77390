import { setTimeout as pause } from 'node:timers/promises';
import { describeErrno } from '../abi/errno-text.js';
import type { Logger } from '../observability/log.js';
import { StartError } from '../startup/start-errors.js';
import { close } from '../syscalls/files.js';
import { HangUpWatch } from '../syscalls/descriptor-watch.js';
import { setNonBlocking } from '../syscalls/process.js';
import { connectUnix, peerCredentials, shutdown, SOCK_STREAM, unixSocket } from '../syscalls/sockets.js';
import type { HelperLoss, HelperSource, ServingHelper } from './helper-source.js';

/** How long it is waited between two tries to connect: milliseconds. */
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 60_000;

/** A helper that ends tells nobody here why. */
const LOSS: HelperLoss = { reason: 'the helper closed the connection', isReplaced: true, isFailure: true };

/**
 * Helpers that somebody else starts, one after the other, at the same socket.
 *
 * What the next one serves cannot be seen from here: that it has the same directory is for who starts it to see to. It has
 * to be of the same user, and the server answers ESTALE for what is not the file that it was.
 */
export class ConnectedHelpers implements HelperSource {
  readonly #path: string;
  readonly #log: Logger;
  #user: number | undefined;

  /** @param path of the socket */
  constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
  }

  first(): Promise<ServingHelper> {
    const socket = connect(this.#path);
    if (socket < 0) return Promise.reject(notReached(this.#path, socket));
    this.#user = peerCredentials(socket)?.uid;
    return Promise.resolve(new ConnectedHelper(socket));
  }

  async next(abandoned: AbortSignal): Promise<ServingHelper | string> {
    const socket = await this.#connection(abandoned);
    if (socket === undefined) return 'no helper is needed any more';
    const user = peerCredentials(socket)?.uid;
    if (user === this.#user) return new ConnectedHelper(socket);
    close(socket);
    return `another user (${user}) listens at ${this.#path} now`;
  }

  close(): void {
    // nothing lives longer than its helper
  }

  /** Tries again for as long as nobody listens. @returns undefined when it is abandoned */
  async #connection(abandoned: AbortSignal): Promise<number | undefined> {
    for (let delay = FIRST_PAUSE_MS; !abandoned.aborted; delay = Math.min(2 * delay, MAX_PAUSE_MS)) {
      const socket = connect(this.#path);
      if (socket >= 0) return socket;
      if (delay === FIRST_PAUSE_MS)
        this.#log.warn(`waiting for another helper: ${notReached(this.#path, socket).message}`);
      // rejects when it is abandoned
      await pause(delay, undefined, { signal: abandoned }).catch(() => undefined);
    }
    return undefined;
  }
}

/** Throws a StartError when nobody listens at a path. */
export function tryConnection(path: string): Promise<void> {
  const socket = connect(path);
  if (socket < 0) return Promise.reject(notReached(path, socket));
  close(socket);
  return Promise.resolve();
}

function notReached(path: string, failed: number): StartError {
  return new StartError(
    'helper-not-reached',
    `cannot connect to a helper at ${path}: ${describeErrno(failed)}`,
  );
}

/** @returns a connection, or -errno: also where too many wait to be accepted (EAGAIN) */
function connect(path: string): number {
  const socket = unixSocket(SOCK_STREAM);
  if (socket < 0) return socket;
  setNonBlocking(socket);
  const failed = connectUnix(socket, path);
  if (failed >= 0) return socket;
  close(socket);
  return failed;
}

/** Our descriptor of a connection that the server reads and writes. */
class ConnectedHelper implements ServingHelper {
  readonly descriptor: number;
  readonly lost: Promise<HelperLoss>;
  readonly #watch: HangUpWatch;
  #isPassed = false;
  #hasHungUp = false;
  #open = true;

  constructor(socket: number) {
    this.descriptor = socket;
    let lose: (loss: HelperLoss) => void;
    this.lost = new Promise((resolve) => (lose = resolve));
    this.#watch = new HangUpWatch(socket, () => {
      this.#hasHungUp = true;
      if (this.#isPassed) this.#close();
      lose(LOSS);
    });
  }

  /** Stays open, to learn of the end and to make it. */
  release(): void {
    this.#isPassed = true;
    if (this.#hasHungUp) this.#close();
  }

  signal(): void {
    // its process is not ours
  }

  stop(): Promise<void> {
    if (this.#open) shutdown(this.descriptor);
    this.#close();
    return Promise.resolve();
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#watch.close();
    close(this.descriptor);
  }
}
