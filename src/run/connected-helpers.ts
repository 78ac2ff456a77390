import { setTimeout as pause } from 'node:timers/promises';
import * as errno from '../abi/errno.js';
import { describeErrno } from '../abi/errno-text.js';
import type { Logger } from '../observability/log.js';
import { HelperClient } from '../server/helper-client/helper-client.js';
import { StartError } from '../startup/start-errors.js';
import { DescriptorRefuser } from '../syscalls/descriptor-messages.js';
import { close } from '../syscalls/files.js';
import { HangUpWatch } from '../syscalls/descriptor-watch.js';
import { duplicate, setNonBlocking } from '../syscalls/process.js';
import { connectUnix, peerCredentials, shutdown, SOCK_STREAM, unixSocket } from '../syscalls/sockets.js';
import { closeStranger } from '../syscalls/stranger.js';
import type { HelperLoss, HelperSource, ServingHelper } from './helper-source.js';

/** How long it is waited between two tries to connect: milliseconds. */
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 60_000;
/** How long it is tried to connect where too many wait to be accepted: milliseconds. */
const CROWD_MS = 5_000;
/** How long a helper has to answer when it is connected: milliseconds. */
const ANSWER_MS = 10_000;

/** A helper that ends tells nobody here why. */
const LOSS: HelperLoss = { reason: 'the helper closed the connection', isReplaced: true, isFailure: true };

/** `/` */
const ROOT = Uint8Array.of(0x2f);

/**
 * Helpers that somebody else starts, one after the other, at the same socket.
 *
 * Each is asked for the attributes of its root before the server gets the connection: it has answered then, and the next one
 * has to be of the same user and to serve the same directory.
 */
export class ConnectedHelpers implements HelperSource {
  readonly #path: string;
  readonly #log: Logger;
  #served: Served | undefined;

  /** @param path of the socket */
  constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
  }

  async first(abandoned: AbortSignal): Promise<ServingHelper> {
    const socket = await connect(this.#path, abandoned);
    if (socket < 0) throw notReached(this.#path, describeErrno(socket));
    this.#served = await this.#ask(socket, abandoned);
    return new ConnectedHelper(socket);
  }

  async next(abandoned: AbortSignal): Promise<ServingHelper | string> {
    const socket = await this.#connection(abandoned);
    if (socket === undefined) return 'no helper is needed any more';
    const { user, root } = await this.#ask(socket, abandoned);
    if (user === this.#served?.user && root === this.#served?.root) return new ConnectedHelper(socket);
    closeStranger(socket);
    return root === this.#served?.root
      ? `another user listens at ${this.#path} now (${user})`
      : 'the exported directory is not the one that it was';
  }

  close(): void {
    // nothing lives longer than its helper
  }

  /** Tries again for as long as nobody listens. @returns undefined when it is abandoned */
  async #connection(abandoned: AbortSignal): Promise<number | undefined> {
    for (let delay = FIRST_PAUSE_MS; !abandoned.aborted; delay = Math.min(2 * delay, MAX_PAUSE_MS)) {
      const socket = await connect(this.#path, abandoned);
      if (socket >= 0) return socket;
      if (delay === FIRST_PAUSE_MS)
        this.#log.warn(
          `waiting for another helper: ${notReached(this.#path, describeErrno(socket)).message}`,
        );
      // rejects when it is abandoned
      await pause(delay, undefined, { signal: abandoned }).catch(() => undefined);
    }
    return undefined;
  }

  /** Waits until the helper answers. Throws a StartError when it does not in time, and closes the socket. */
  async #ask(socket: number, abandoned: AbortSignal): Promise<Served> {
    // the attributes come without one
    const client = new HelperClient(duplicate(socket), { receiver: new DescriptorRefuser() });
    const late = new AbortController();
    // what is not answered then is answered with an error
    const end = (): void => {
      client.close();
    };
    const timer = setTimeout(() => {
      late.abort();
      end();
    }, ANSWER_MS);
    abandoned.addEventListener('abort', end);
    const answered = client.request('lstat', { path: ROOT });
    if (abandoned.aborted) end();
    const attributes = await answered;
    abandoned.removeEventListener('abort', end);
    clearTimeout(timer);
    end();
    if (typeof attributes !== 'number') {
      const { device, inode } = attributes;
      return { user: peerCredentials(socket)?.uid, root: `${device}:${inode}` };
    }
    closeStranger(socket);
    const failed = late.signal.aborted ? -errno.ETIMEDOUT : attributes;
    throw notReached(this.#path, `it does not answer: ${describeErrno(failed)}`);
  }
}

/** What has to be the same of all helpers. */
interface Served {
  readonly user: number | undefined;
  /** Device and inode. */
  readonly root: string;
}

/** Throws a StartError when nobody listens at a path. */
export async function tryConnection(path: string): Promise<void> {
  const socket = await connect(path);
  if (socket < 0) throw notReached(path, describeErrno(socket));
  closeStranger(socket);
}

function notReached(path: string, why: string): StartError {
  return new StartError('helper-not-reached', `cannot connect to a helper at ${path}: ${why}`);
}

/**
 * Waits a while where too many wait to be accepted: anybody who may connect can have them do so, but a helper soon accepts
 * them all.
 *
 * @returns a connection, or -errno (EAGAIN)
 */
async function connect(path: string, abandoned?: AbortSignal): Promise<number> {
  for (let waited = 0; ; waited += FIRST_PAUSE_MS) {
    const socket = connectAtOnce(path);
    if (socket !== -errno.EAGAIN || waited >= CROWD_MS || abandoned?.aborted === true) return socket;
    // rejects when it is abandoned
    await pause(FIRST_PAUSE_MS, undefined, { signal: abandoned }).catch(() => undefined);
  }
}

/** @returns a connection, or -errno: also where too many wait to be accepted (EAGAIN) */
function connectAtOnce(path: string): number {
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
    closeStranger(this.descriptor);
  }
}
