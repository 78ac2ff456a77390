import type { Message } from '../operations/message.js';
import { isData } from '../operations/table.js';
import type { Request, RequestOf } from '../p9/messages.js';

/** A Tflush that is not answered yet. */
interface Flush {
  readonly message: Message;
  readonly tag: number;
}

/** A request that is not answered yet. */
export interface Pending {
  readonly message: Message;
  readonly request: Exclude<Request, RequestOf<'Tversion' | 'Tflush'>>;
  /** Those who asked to drop it, to be answered when it is done. */
  readonly flushes: Flush[];
}

/** Ends a message that nobody waits for. */
interface Dropping {
  drop(message: Message): void;
}

/** What a client has asked and waits for. */
export class Requests {
  readonly #dropping: Dropping;
  readonly #pending = new Map<number, Pending>();
  /** In the order in which they are to be carried out. */
  #queue: Pending[] = [];
  #flushes = 0;

  constructor(dropping: Dropping) {
    this.#dropping = dropping;
  }

  /** How many messages are not answered yet. */
  get size(): number {
    return this.#pending.size + this.#flushes;
  }

  has(tag: number): boolean {
    return this.#pending.has(tag);
  }

  add(pending: Pending): void {
    this.#pending.set(pending.request.tag, pending);
  }

  /** Lets a request wait for its turn. */
  enqueue(pending: Pending): void {
    this.#queue.push(pending);
  }

  /** The request whose turn it is. */
  next(): Pending | undefined {
    return this.#queue.shift();
  }

  /** Its tag is free. @returns the flushes that waited for it */
  done({ request, flushes }: Pending): readonly Flush[] {
    this.#pending.delete(request.tag);
    this.#flushes -= flushes.length;
    return flushes;
  }

  /**
   * A request that has not begun is dropped; one that has is answered first. Then its tag is free.
   *
   * @returns the flushes to be answered now
   */
  flush(oldtag: number, flush: Flush): readonly Flush[] {
    const pending = this.#pending.get(oldtag);
    if (pending === undefined) return [flush];
    const waiting = this.#queue.indexOf(pending);
    if (waiting < 0) {
      pending.flushes.push(flush);
      this.#flushes++;
      return [];
    }
    this.#queue.splice(waiting, 1);
    this.#dropping.drop(pending.message);
    return [...this.done(pending), flush];
  }

  /** Nobody waits any more for what was asked. What has begun goes on. */
  forget(): void {
    for (const { message } of this.#queue) this.#dropping.drop(message);
    for (const { flushes } of this.#pending.values())
      for (const { message } of flushes) this.#dropping.drop(message);
    this.#queue = [];
    this.#flushes = 0;
    this.#pending.clear();
  }

  /** Whether all that has to do with a fid is reading, writing and syncing. @param request one of them */
  isAloneWith(fid: number, request: Request): boolean {
    return [...this.#pending.values()].every(
      ({ request: other }) => other === request || isData(other) || !('fid' in other) || other.fid !== fid,
    );
  }
}
