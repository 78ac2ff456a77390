import { type ClientLimits, ClientQueue, type QueuedClient } from '../accepting/client-queue.js';
import type { Logger } from '../observability/log.js';
import { Refusals } from '../observability/refusals.js';
import type { Peer } from '../server/transports/acceptance.js';
import type { ClientSocket } from '../server/transports/listening.js';
import { StartError } from '../startup/start-errors.js';
import { Pair, type PairPlan } from './pair.js';

/** Of all peers, and of one. */
const limits: ClientLimits = { clients: 128, ofOne: 64 };

interface ShareClient extends QueuedClient {
  readonly socket: ClientSocket;
}

/** The clients of --keep-listening, each with processes of its own. What becomes of one is nothing to the others. */
export class ShareClients {
  readonly #plan: (client: number) => PairPlan;
  readonly #log: Logger;
  readonly #refusals: Refusals;
  readonly #pairs = new Set<Pair>();
  readonly #queue = new ClientQueue<ShareClient>(limits, (client) => {
    void this.#serve(client);
  });
  readonly #changed: () => void;
  #count = 0;
  readonly #stopped = new AbortController();

  /** @param changed is told when a client has come or gone */
  constructor(plan: (client: number) => PairPlan, log: Logger, changed: () => void) {
    this.#plan = plan;
    this.#log = log;
    this.#refusals = new Refusals(log);
    this.#changed = changed;
  }

  /** Clients that are served now. */
  get running(): number {
    return this.#queue.served;
  }

  /** Clients so far. */
  get count(): number {
    return this.#count;
  }

  /** Serves a client whose socket is connected, when it is its turn. */
  take(socket: ClientSocket, peer: Peer): void {
    const { uid, cid, network } = peer;
    const client = { descriptor: socket.descriptor, peer: `${uid} ${cid} ${network}`, socket };
    if (!this.#queue.take(client)) this.#refusals.report('refused a client: there are too many', { ...peer });
  }

  async #serve(client: ShareClient): Promise<void> {
    const number = ++this.#count;
    this.#changed();
    try {
      const pair = await Pair.start(this.#plan(number), client.socket, this.#stopped.signal);
      if (pair !== undefined) await this.#attend(pair, number);
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      this.#refusals.report(
        'cannot serve a client',
        { client: number, code: error.code, why: error.message },
        'error',
      );
    }
    this.#queue.left(client);
    this.#changed();
  }

  async #attend(pair: Pair, number: number): Promise<void> {
    this.#pairs.add(pair);
    // a signal came while they were started
    if (this.#stopped.signal.aborted) pair.stop();
    const { reason } = await pair.ended;
    this.#pairs.delete(pair);
    if (reason !== undefined)
      this.#refusals.report('the session of a client failed', { client: number, reason });
  }

  /** Was sent away because of who he is. */
  refused(peer: Peer): void {
    this.#refusals.report('refused a client that may not connect', { ...peer });
  }

  signal(signal: NodeJS.Signals): void {
    for (const pair of this.#pairs) pair.signal(signal);
  }

  /** Ends all. */
  stop(): void {
    this.#stopped.abort();
    this.#queue.close();
    this.#log.info({ clients: this.running }, 'ending the sessions of all clients');
    for (const pair of this.#pairs) pair.stop();
  }
}
