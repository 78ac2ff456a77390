import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../observability/log.js';
import type { ClientSocket } from '../server/transports/listening.js';
import { ExitStatus } from '../startup/exit-status.js';
import { StartError } from '../startup/start-errors.js';
import { close } from '../syscalls/files.js';
import { closeStranger } from '../syscalls/stranger.js';
import { Restarts } from './restarts.js';
import { ServedExport } from './served-export.js';
import { type ServerProcess, type ServerSettings, startServer } from './server-process.js';
import { type HelperEnd, type Share, startShare } from './share.js';

/** What a client is served by. */
export interface PairPlan {
  /** The starting programs of the helper and of the server. */
  readonly programs: { readonly helper: string; readonly server: string };
  /** What is shared. */
  readonly path: string;
  readonly helperOptions: readonly string[];
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
  readonly #served: ServedExport;
  readonly #restarts: Restarts;
  readonly #serverEnded = new AbortController();
  #helper: Share;
  #stopping = false;
  #deadline: NodeJS.Timeout | undefined;
  /** Settles when both have ended; never rejects. */
  readonly ended: Promise<PairEnd>;

  private constructor(plan: PairPlan, helper: Share, server: ServerProcess, served: ServedExport) {
    this.#plan = plan;
    this.#helper = helper;
    this.#server = server;
    this.#served = served;
    this.#restarts = new Restarts(plan.helperRestarts);
    void server.ended.then(() => {
      this.#serverEnded.abort();
    });
    this.ended = this.#serve();
  }

  /** Starts both. The client's socket is closed here, whatever happens. Throws a StartError. */
  static async start(plan: PairPlan, client: ClientSocket): Promise<Pair> {
    try {
      const helper = await startShare(plan.programs.helper, plan.helperOptions, 'inherit');
      const served = new ServedExport(plan.path);
      try {
        served.add(helper.child);
        const server = await startServer(plan.programs.server, plan.settings, client, helper.descriptor);
        helper.release();
        return new Pair(plan, helper, server, served);
      } catch (error) {
        served.close();
        await helper.stop();
        throw error;
      }
    } finally {
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
      const first = await Promise.race([this.#server.ended.then(() => undefined), this.#helper.ended]);
      const end = this.#isOver() ? undefined : first;
      if (end === undefined || this.#stopping || !isReplaced(end)) return this.#finish(end, undefined);
      const failure = await this.#replaceHelper(end);
      if (failure !== undefined) return this.#finish(end, failure);
    }
  }

  /** @returns why there is no other helper; undefined where one serves, or the server has ended */
  async #replaceHelper(last: HelperEnd): Promise<string | undefined> {
    let why = `the helper ended (${how(last)})`;
    for (;;) {
      const delay = this.#restarts.next(performance.now());
      if (delay === undefined) return this.#plan.helperRestarts === 0 ? why : `${why}, and too often`;
      // rejects when the server has ended
      await pause(delay, undefined, { signal: this.#serverEnded.signal }).catch(() => undefined);
      if (this.#isOver()) return undefined;
      try {
        const failure = await this.#startAnother();
        if (failure === undefined) this.#plan.log.warn(`${why}: another one serves`);
        return failure;
      } catch (error) {
        if (!(error instanceof StartError)) throw error;
        if (this.#isOver()) return undefined;
        why = `another helper did not start: ${error.message}`;
      }
    }
  }

  /** @returns why it is not one that can take the place of the last. Throws a StartError. */
  async #startAnother(): Promise<string | undefined> {
    const former = this.#served.formerMounts;
    const options = former.length === 0 ? [] : [`--former-mounts=${former.join()}`];
    this.#helper = await startShare(
      this.#plan.programs.helper,
      [...this.#plan.helperOptions, ...options],
      'inherit',
      this.#serverEnded.signal,
    );
    if (!this.#served.add(this.#helper.child)) return 'the exported directory is not the one that it was';
    const isPassed = this.#server.furtherHelpers.pass(this.#helper.descriptor);
    this.#helper.release();
    return isPassed || this.#isOver() ? undefined : 'the 9P server takes no other helper';
  }

  /** @param failure why there is no other helper */
  async #finish(helperEnd: HelperEnd | undefined, failure: string | undefined): Promise<PairEnd> {
    this.#server.furtherHelpers.close();
    // a server that has lost its helper ends by itself, and knows why
    if (helperEnd !== undefined && !this.#stopping)
      await Promise.race([this.#server.ended, pause(LOSS_MS, undefined, { ref: false })]);
    this.#endServer();
    const [server] = await Promise.all([this.#server.ended, this.#helper.stop()]);
    clearTimeout(this.#deadline);
    this.#served.close();
    if (failure !== undefined) return { status: ExitStatus.FAILURE, reason: failure };
    // a helper whose server has left ends as it should
    const isHelpers = helperEnd !== undefined && helperEnd.status !== ExitStatus.OK && !this.#stopping;
    if (isHelpers) return { status: ExitStatus.FAILURE, reason: `the helper ended (${how(helperEnd)})` };
    // by our signal, before it had a handler
    const isOurs = this.#stopping && server.signal === 'SIGTERM';
    return isOurs ? { status: ExitStatus.OK, reason: undefined } : serverEnd(server);
  }
}

/** How a helper ends by itself: the server left it, or is to blame. */
const itsOwn: readonly (number | null)[] = [ExitStatus.OK, ExitStatus.PROTOCOL_VIOLATION];

/** Whether another helper is to take the place of one that ended. One that made a forbidden call may have been taken over. */
function isReplaced({ status, signal }: HelperEnd): boolean {
  return signal !== 'SIGSYS' && !itsOwn.includes(status);
}

function serverEnd(end: HelperEnd): PairEnd {
  if (end.status === ExitStatus.OK) return { status: ExitStatus.OK, reason: undefined };
  const status = end.status ?? ExitStatus.FAILURE;
  const why = status === ExitStatus.PROTOCOL_VIOLATION ? 'the client broke the protocol' : how(end);
  return { status, reason: `the 9P server ended (${why})` };
}

function how({ status, signal }: HelperEnd): string {
  return signal ?? `status ${status}`;
}
