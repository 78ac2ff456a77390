import { hasHungUp } from '../syscalls/sockets.js';
import { closeStranger } from '../syscalls/stranger.js';

/** So many clients of one peer are started ... */
const STARTS = 10;
/** ... within this time: milliseconds. */
const PERIOD_MS = 10_000;

/** A client that has connected. Its socket belongs to the queue until it is started. */
export interface QueuedClient {
  readonly descriptor: number;
  /** Who it is: clients of one peer share what one may have. */
  readonly peer: string;
}

/** How many clients there may be, served or waiting. */
export interface ClientLimits {
  readonly clients: number;
  /** Of one peer. */
  readonly ofOne: number;
}

/**
 * The clients of a listener, each of whom is served by processes of its own. A peer who comes again and again waits, and
 * keeps none but himself waiting: his clients are started at a bounded rate, and he cannot take all places. Nothing is
 * read from a client here.
 */
export class ClientQueue<Client extends QueuedClient> {
  readonly #limits: ClientLimits;
  readonly #start: (client: Client) => void;
  #waiting: Client[] = [];
  readonly #served = new Set<Client>();
  /** When the last clients of each peer were started, the oldest first. */
  readonly #starts = new Map<string, number[]>();
  #timer: NodeJS.Timeout | undefined;

  /** @param start is given a client when it is its turn, and its socket with it */
  constructor(limits: ClientLimits, start: (client: Client) => void) {
    this.#limits = limits;
    this.#start = start;
  }

  /** Clients that were started and have not left. */
  get served(): number {
    return this.#served.size;
  }

  /** @returns false when there are too many: this one was sent away */
  take(client: Client): boolean {
    this.#sendGoneAway();
    const clients = [...this.#served, ...this.#waiting];
    const ofThisPeer = clients.filter(({ peer }) => peer === client.peer).length;
    if (clients.length >= this.#limits.clients || ofThisPeer >= this.#limits.ofOne) {
      closeStranger(client.descriptor);
      return false;
    }
    this.#waiting.push(client);
    this.#startWaiting();
    return true;
  }

  /** A client that was started has left. */
  left(client: Client): void {
    this.#served.delete(client);
  }

  /** Sends those away who have not been started yet. */
  close(): void {
    clearTimeout(this.#timer);
    for (const { descriptor } of this.#waiting.splice(0)) closeStranger(descriptor);
  }

  /** Those who no longer wait for an answer are never started, and take nobody's place. */
  #sendGoneAway(): void {
    const gone = this.#waiting.filter(({ descriptor }) => hasHungUp(descriptor));
    this.#waiting = this.#waiting.filter((client) => !gone.includes(client));
    for (const { descriptor } of gone) closeStranger(descriptor);
  }

  #startWaiting(): void {
    clearTimeout(this.#timer);
    this.#sendGoneAway();
    const now = performance.now();
    this.#forgetStarts(now - PERIOD_MS);
    const pauses: number[] = [];
    this.#waiting = this.#waiting.filter((client) => {
      const pause = this.#pauseOf(client.peer, now);
      if (pause > 0) {
        pauses.push(pause);
        return true;
      }
      this.#starts.set(client.peer, [...(this.#starts.get(client.peer) ?? []), now]);
      this.#served.add(client);
      this.#start(client);
      return false;
    });
    if (pauses.length === 0) return;
    this.#timer = setTimeout(
      () => {
        this.#startWaiting();
      },
      Math.min(...pauses),
    );
  }

  /** Forgets the starts until a time. */
  #forgetStarts(until: number): void {
    for (const [peer, times] of this.#starts) {
      const recent = times.filter((time) => time > until);
      if (recent.length > 0) this.#starts.set(peer, recent);
      else this.#starts.delete(peer);
    }
  }

  /** How long the next client of a peer has to wait. */
  #pauseOf(peer: string, now: number): number {
    const starts = this.#starts.get(peer) ?? [];
    const [oldest = now] = starts;
    return starts.length < STARTS ? 0 : oldest + PERIOD_MS - now;
  }
}
