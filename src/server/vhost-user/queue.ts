import type { Refusals } from '../../observability/refusals.js';
import type { MessageBuffers } from '../operations/message-buffers.js';
import { HEADER_BYTES } from '../p9/numbers.js';
import { ChainReader } from './chain.js';
import type { GuestMemory } from './guest-memory.js';
import { QueueMessage } from './queue-message.js';
import { type RingAddresses, SplitRing } from './split-ring.js';

/** A ring as it was set up. */
export interface RingSetup {
  readonly addresses: RingAddresses;
  readonly size: number;
  readonly base: number;
  readonly hasEvents: boolean;
  readonly hasIndirect: boolean;
}

export interface QueueEvents {
  received(message: QueueMessage): void;
  /** The guest is to be told that it was given something. */
  tell(): void;
  /** The guest broke the ring, which is not looked at any more until it is set up again. */
  broken(): void;
}

/** The requests of a guest in a ring, from one setting up of it to the next. */
export class Queue {
  readonly #memory: GuestMemory;
  readonly #buffers: MessageBuffers;
  readonly #refusals: Refusals;
  readonly #events: QueueEvents;
  readonly #free: QueueMessage[] = [];
  #ring: SplitRing | undefined;
  #reader: ChainReader | undefined;
  #isBroken = false;
  /** Not one of these may be so for a chain to be taken. */
  readonly #holds = { paused: false, quiet: false, closed: false };
  /** Chains that the session has. */
  #outstanding = 0;
  #isDraining = false;
  #isScheduled = false;
  #quiet: (() => void)[] = [];
  /** The longest message. */
  limit = 0;

  constructor(memory: GuestMemory, buffers: MessageBuffers, refusals: Refusals, events: QueueEvents) {
    this.#memory = memory;
    this.#buffers = buffers;
    this.#refusals = refusals;
    this.#events = events;
  }

  get isRunning(): boolean {
    return this.#ring !== undefined;
  }

  /** Whether more chains would be taken. */
  get takes(): boolean {
    return this.#ring !== undefined && this.#takes;
  }

  /** Looks for a chain, without being told. */
  get hasChain(): boolean {
    this.#ring?.declineKick();
    return (this.#ring?.waiting ?? 0) > 0;
  }

  /** Has the guest tell of the next chain. @returns whether there is one already */
  awaitKick(): boolean {
    this.#ring?.askForKick();
    return (this.#ring?.waiting ?? 0) > 0;
  }

  /** Begins with a ring, with no chain of another one outstanding. */
  start({ addresses, size, base, hasEvents, hasIndirect }: RingSetup): void {
    this.#ring = new SplitRing(addresses, size, base, hasEvents);
    this.#reader = new ChainReader(this.#ring, this.#memory, hasIndirect);
    this.#isBroken = false;
    this.drain();
  }

  /** Ends with a ring, with no chain outstanding. @returns where it goes on */
  stop(): number {
    const base = this.#ring?.base ?? 0;
    this.#ring = this.#reader = undefined;
    return base;
  }

  /** Takes no chain any more until `resume`. @returns a promise of when all that were taken are back */
  quiesce(): Promise<void> {
    this.#holds.quiet = true;
    if (this.#outstanding === 0) return Promise.resolve();
    return new Promise((resolve) => this.#quiet.push(resolve));
  }

  /** Takes no chain ever again. @returns as `quiesce` */
  close(): Promise<void> {
    this.#holds.closed = true;
    return this.quiesce();
  }

  resume(): void {
    this.#holds.quiet = false;
    this.drain();
  }

  /** What the session does when it has enough. */
  set paused(paused: boolean) {
    this.#holds.paused = paused;
    if (!paused) this.drain();
  }

  /** Takes all that is there, and then asks to be told of more. */
  drain(): void {
    const ring = this.#ring;
    // also when the session takes a message and is done with it at once
    if (ring === undefined || this.#isDraining) return;
    this.#isDraining = true;
    for (let taken = 0; this.#takes && taken < ring.size; taken++) {
      if (ring.waiting === 0) ring.askForKick();
      if (ring.waiting === 0) break;
      this.#take(ring);
    }
    this.#isDraining = false;
    if (this.#takes && ring.waiting > 0) this.#later();
    this.#tell();
  }

  get #takes(): boolean {
    const { paused, quiet, closed } = this.#holds;
    return !this.#isBroken && !paused && !quiet && !closed;
  }

  #take(ring: SplitRing): void {
    if (ring.waiting > ring.size) {
      this.#break(`${ring.waiting} entries in a ring of ${ring.size}`);
      return;
    }
    const message = this.#free.pop() ?? new QueueMessage(this.#buffers, this.#give);
    message.head = ring.take();
    const wrong = this.#reader?.read(message.head, message.readable, message.writable);
    if (wrong !== undefined) {
      message.readable.clear();
      message.writable.clear();
      this.#free.push(message);
      this.#break(wrong);
      return;
    }
    this.#outstanding++;
    message.load(this.limit);
    // nothing that could be answered
    if (message.frame.length < HEADER_BYTES) message.drop();
    else this.#events.received(message);
  }

  #break(reason: string): void {
    this.#isBroken = true;
    this.#refusals.report('the guest broke the ring: no request is served until it is set up again', {
      reason,
    });
    this.#events.broken();
  }

  readonly #give = (message: QueueMessage, written: number): void => {
    this.#outstanding--;
    this.#free.push(message);
    if (!this.#isBroken) this.#ring?.give(message.head, written);
    if (this.#outstanding === 0) {
      this.#tell();
      for (const resolve of this.#quiet.splice(0)) resolve();
    } else this.#later();
  };

  /** What is given back one after the other is told of together. */
  #later(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#tell();
      this.drain();
    });
  }

  #tell(): void {
    if (!this.#isDraining && !this.#isBroken && this.#ring?.shallTell() === true) this.#events.tell();
  }
}
