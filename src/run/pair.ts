import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../observability/log.js';
import type { ClientSocket } from '../server/transports/listening.js';
import { ExitStatus } from '../startup/exit-status.js';
import { StartError } from '../startup/start-errors.js';
import type { ProcessEnd } from '../syscalls/process.js';
import { close } from '../syscalls/files.js';
import { HangUpWatch } from '../syscalls/descriptor-watch.js';
import { closeStranger } from '../syscalls/stranger.js';
import type { HelperLoss, HelperSource, ServingHelper } from './helper-source.js';
import { Restarts } from './restarts.js';
import { type ServerProcess, type ServerSettings, startServer } from './server-process.js';

/** What a client is served by. */
export interface PairPlan {
  /** The starting program of the server. */
  readonly serverProgram: string;
  /** Belongs to the pair. */
  readonly helpers: HelperSource;
  /** How many helpers may take the place of one that died, within a minute. */
  readonly helperRestarts: number;
  readonly log: Logger;
  readonly settings: ServerSettings;
}

/** How the processes of a client ended. */
export interface PairEnd {
  /** See `ExitStatus`. */
  readonly status: number;
  /** In one line; undefined when the client has left, or we ended it. */
  readonly reason: string | undefined;
}

/** How long a process has to end when it is told to: milliseconds. */
const END_MS = 10_000;
/** How long a server has to notice that its helper has ended: milliseconds. */
const LOSS_MS = 2_000;

/**
 * A helper and the server that uses it. When the server ends, so does the helper; when the helper dies, another one takes
 * its place, and what the client has open stays open.
 */
export class Pair {
  readonly #plan: PairPlan;
  readonly #server: ServerProcess;
  readonly #restarts: Restarts;
  readonly #serverEnded = new AbortController();
  #helper: ServingHelper;
  #stopping = false;
  #deadline: NodeJS.Timeout | undefined;
  /** Settles when both have ended; never rejects. */
  readonly ended: Promise<PairEnd>;

  private constructor(plan: PairPlan, helper: ServingHelper, server: ServerProcess) {
    this.#plan = plan;
    this.#helper = helper;
    this.#server = server;
    this.#restarts = new Restarts(plan.helperRestarts);
    server.heartbeat?.begin((period) => {
      plan.log.error(`the 9P server has not answered for ${period / 1000} s: it is killed`);
      server.child.kill('SIGKILL');
    });
    void server.ended.then(() => {
      this.#serverEnded.abort();
    });
    this.ended = this.#serve();
  }

  /**
   * Starts both. The client's socket is closed here, whatever happens. Throws a StartError.
   *
   * @param stopped when they are not needed any more
   * @returns undefined when it was stopped, or the client left, before there was a helper
   */
  static async start(plan: PairPlan, client: ClientSocket, stopped: AbortSignal): Promise<Pair | undefined> {
    const abandoned = new AbortController();
    const abandon = (): void => {
      abandoned.abort();
    };
    stopped.addEventListener('abort', abandon);
    const watch = client.listening ? undefined : new HangUpWatch(client.descriptor, abandon);
    try {
      const helper = await plan.helpers.first(abandoned.signal);
      try {
        const server = await startServer(plan.serverProgram, plan.settings, client, helper.descriptor);
        helper.release();
        return new Pair(plan, helper, server);
      } catch (error) {
        await helper.stop();
        throw error;
      }
    } catch (error) {
      plan.helpers.close();
      if (abandoned.signal.aborted && error instanceof StartError) return undefined;
      throw error;
    } finally {
      stopped.removeEventListener('abort', abandon);
      watch?.close();
      if (client.listening) close(client.descriptor);
      else closeStranger(client.descriptor);
    }
  }

  /** Ends both, after what they are at. */
  stop(): void {
    this.#stopping = true;
    this.#endServer();
  }

  /** Passes a signal on to both. */
  signal(signal: NodeJS.Signals): void {
    this.#server.child.kill(signal);
    this.#helper.signal(signal);
  }

  /** A server that a guest has taken over need not listen to the signal. */
  #endServer(): void {
    this.#server.child.kill('SIGTERM');
    this.#deadline ??= setTimeout(() => {
      this.#server.child.kill('SIGKILL');
      this.#helper.signal('SIGKILL');
    }, END_MS);
  }

  /** Whether the server has ended. */
  #isOver(): boolean {
    return this.#serverEnded.signal.aborted;
  }

  async #serve(): Promise<PairEnd> {
    for (;;) {
      const first = await Promise.race([this.#server.ended.then(() => undefined), this.#helper.lost]);
      const loss = this.#isOver() ? undefined : first;
      if (loss === undefined || this.#stopping || !loss.isReplaced) return this.#finish(loss, undefined);
      const failure = await this.#replaceHelper(loss);
      if (failure !== undefined) return this.#finish(loss, failure);
    }
  }

  /** @returns why there is no other helper; undefined where one serves, or the server has ended */
  async #replaceHelper({ reason }: HelperLoss): Promise<string | undefined> {
    let why = reason;
    for (;;) {
      const delay = this.#restarts.next(performance.now());
      if (delay === undefined) return this.#plan.helperRestarts === 0 ? why : `${why}, and too often`;
      // rejects when the server has ended
      await pause(delay, undefined, { signal: this.#serverEnded.signal }).catch(() => undefined);
      if (this.#isOver()) return undefined;
      try {
        const failure = await this.#takeAnother();
        if (failure === undefined && !this.#isOver()) this.#plan.log.warn(`${why}: another one serves`);
        return failure;
      } catch (error) {
        if (!(error instanceof StartError)) throw error;
        if (this.#isOver()) return undefined;
        why = `another helper did not start: ${error.message}`;
      }
    }
  }

  /** @returns why there is none that can take the place of the last. Throws a StartError. */
  async #takeAnother(): Promise<string | undefined> {
    const helper = await this.#plan.helpers.next(this.#serverEnded.signal);
    if (typeof helper === 'string') return this.#isOver() ? undefined : helper;
    this.#helper = helper;
    const isPassed = this.#server.furtherHelpers.pass(helper.descriptor);
    helper.release();
    return isPassed || this.#isOver() ? undefined : 'the 9P server takes no other helper';
  }

  /** @param failure why there is no other helper */
  async #finish(loss: HelperLoss | undefined, failure: string | undefined): Promise<PairEnd> {
    this.#server.furtherHelpers.close();
    // a server that has lost its helper ends by itself, and knows why
    if (loss !== undefined && !this.#stopping)
      await Promise.race([this.#server.ended, pause(LOSS_MS, undefined, { ref: false })]);
    this.#endServer();
    const [server] = await Promise.all([this.#server.ended, this.#helper.stop()]);
    clearTimeout(this.#deadline);
    this.#plan.helpers.close();
    if (failure !== undefined) return { status: ExitStatus.FAILURE, reason: failure };
    if (loss?.isFailure === true && !this.#stopping)
      return { status: ExitStatus.FAILURE, reason: loss.reason };
    // by our signal, before it had a handler
    const isOurs = this.#stopping && server.signal === 'SIGTERM';
    return isOurs ? { status: ExitStatus.OK, reason: undefined } : serverEnd(server);
  }
}

function serverEnd({ status, signal }: ProcessEnd): PairEnd {
  if (status === ExitStatus.OK) return { status: ExitStatus.OK, reason: undefined };
  const isViolation = status === ExitStatus.PROTOCOL_VIOLATION;
  const why = isViolation ? 'the client broke the protocol' : (signal ?? `status ${status}`);
  return { status: status ?? ExitStatus.FAILURE, reason: `the 9P server ended (${why})` };
}
