import type { ClientSocket } from '../server/transports/listening.js';
import { ExitStatus } from '../startup/exit-status.js';
import { close } from '../syscalls/files.js';
import { closeStranger } from '../syscalls/stranger.js';
import { type ServerProcess, type ServerSettings, startServer } from './server-process.js';
import { type HelperEnd, type Share, startShare } from './share.js';

/** What a client is served by. */
export interface PairPlan {
  /** The starting programs of the helper and of the server. */
  readonly programs: { readonly helper: string; readonly server: string };
  readonly helperOptions: readonly string[];
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

/** A helper and the server that uses it. When one ends, so does the other. */
export class Pair {
  readonly #helper: Share;
  readonly #server: ServerProcess;
  #stopping = false;
  #deadline: NodeJS.Timeout | undefined;
  /** Settles when both have ended; never rejects. */
  readonly ended: Promise<PairEnd>;

  private constructor(helper: Share, server: ServerProcess) {
    this.#helper = helper;
    this.#server = server;
    this.ended = this.#end();
  }

  /** Starts both. The client's socket is closed here, whatever happens. Throws a StartError. */
  static async start({ programs, helperOptions, settings }: PairPlan, client: ClientSocket): Promise<Pair> {
    try {
      const helper = await startShare(programs.helper, helperOptions, 'inherit');
      try {
        const server = await startServer(programs.server, settings, client, helper.descriptor);
        helper.release();
        return new Pair(helper, server);
      } catch (error) {
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

  async #end(): Promise<PairEnd> {
    const first = await Promise.race([
      this.#server.ended.then((end) => ({ part: 'server' as const, end })),
      this.#helper.ended.then((end) => ({ part: 'helper' as const, end })),
    ]);
    // a server that has lost its helper ends by itself, and knows why
    if (first.part === 'helper' && !this.#stopping) await Promise.race([this.#server.ended, pause(LOSS_MS)]);
    this.#endServer();
    const [server] = await Promise.all([this.#server.ended, this.#helper.stop()]);
    clearTimeout(this.#deadline);
    // a helper whose server has left ends as it should
    const isHelpers = first.part === 'helper' && first.end.status !== ExitStatus.OK && !this.#stopping;
    if (isHelpers) return helperEnd(first.end);
    // by our signal, before it had a handler
    const isOurs = this.#stopping && server.signal === 'SIGTERM';
    return isOurs ? { status: ExitStatus.OK, reason: undefined } : serverEnd(server);
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function helperEnd(end: HelperEnd): PairEnd {
  return { status: ExitStatus.FAILURE, reason: `the helper ended (${how(end)})` };
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
