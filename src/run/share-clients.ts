import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../observability/log.js';
import { Refusals } from '../observability/refusals.js';
import type { Peer } from '../server/transports/acceptance.js';
import type { ClientSocket } from '../server/transports/listening.js';
import { StartError } from '../startup/start-errors.js';
import { hasHungUp } from '../syscalls/sockets.js';
import { closeStranger } from '../syscalls/stranger.js';
import { Pair, type PairPlan } from './pair.js';

/** At most so many clients at once ... */
const MAX_CLIENTS = 64;
/** ... of whom one peer can have so many started, and as many more waiting for it, ... */
const STARTS = 10;
/** ... within this time: milliseconds. */
const PERIOD_MS = 10_000;

/** The clients of --keep-listening, each with processes of its own. What becomes of one is nothing to the others. */
export class ShareClients {
  readonly #plan: (client: number) => PairPlan;
  readonly #log: Logger;
  readonly #refusals: Refusals;
  readonly #pairs = new Set<Pair>();
  /** When the last clients of each peer were started. */
  readonly #starts = new Map<string, number[]>();
  readonly #changed: () => void;
  #running = 0;
  #count = 0;
  readonly #ending = new AbortController();
  #stopping = false;

  /** @param changed is told when a client has come or gone */
  constructor(plan: (client: number) => PairPlan, log: Logger, changed: () => void) {
    this.#plan = plan;
    this.#log = log;
    this.#refusals = new Refusals(log);
    this.#changed = changed;
  }

  /** Clients that are served or will be. */
  get running(): number {
    return this.#running;
  }

  /** Clients so far. */
  get count(): number {
    return this.#count;
  }

  /** Serves a client whose socket is connected. */
  async take(client: ClientSocket, peer: Peer): Promise<void> {
    const delay = this.#stopping || this.running >= MAX_CLIENTS ? undefined : this.#delayOf(peer);
    if (delay === undefined) {
      this.#refusals.report('refused a client: there are too many', { ...peer });
      closeStranger(client.descriptor);
      return;
    }
    const number = ++this.#count;
    this.#running++;
    this.#changed();
    try {
      // what has gone meanwhile needs no processes
      if (delay === 0 || (await this.#waited(delay, client))) {
        const pair = await Pair.start(this.#plan(number), client);
        await this.#serve(pair, number);
      } else closeStranger(client.descriptor);
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      this.#refusals.report(
        'cannot serve a client',
        { client: number, code: error.code, why: error.message },
        'error',
      );
    }
    this.#running--;
    this.#changed();
  }

  async #serve(pair: Pair, number: number): Promise<void> {
    this.#pairs.add(pair);
    // a signal came while they were started
    if (this.#stopping) pair.stop();
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
    this.#stopping = true;
    this.#ending.abort();
    this.#log.info({ clients: this.running }, 'ending the sessions of all clients');
    for (const pair of this.#pairs) pair.stop();
  }

  /** @returns whether the client is still to be served */
  async #waited(delay: number, { descriptor }: ClientSocket): Promise<boolean> {
    // rejects when the share ends
    await pause(delay, undefined, { signal: this.#ending.signal }).catch(() => undefined);
    return !this.#stopping && !hasHungUp(descriptor);
  }

  /** How long a client of this peer has to wait, in milliseconds; undefined where too many of them wait already. */
  #delayOf({ uid, cid, network }: Peer): number | undefined {
    const key = `${uid} ${cid} ${network}`;
    const now = performance.now();
    for (const [peer, times] of this.#starts) {
      if ((times.at(-1) ?? 0) <= now - PERIOD_MS) this.#starts.delete(peer);
    }
    // in their order, those that wait at their time to come
    const starts = (this.#starts.get(key) ?? []).filter((time) => time > now - PERIOD_MS);
    if (starts.length >= 2 * STARTS) return undefined;
    const start = Math.max(now, (starts.at(-STARTS) ?? 0) + PERIOD_MS);
    this.#starts.set(key, [...starts, starts.length < STARTS ? now : start]);
    return starts.length < STARTS ? 0 : start - now;
  }
}
