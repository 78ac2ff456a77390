import * as errno from '../../abi/errno.js';
import { errnoName } from '../../abi/errno-text.js';
import { type FieldsOf, RequestEncoder } from '../../proxy-protocol/encoder.js';
import type { AnyReply, ReplyOf } from '../../proxy-protocol/reply-decoder.js';
import { type RequestName, requests } from '../../proxy-protocol/requests.js';
import type { DescriptorReceiver } from '../../syscalls/descriptor-messages.js';
import { elapsedMicroseconds, MonotonicClock } from '../../syscalls/process.js';
import { Connection, WAIT_MS } from './connection.js';
import { HelperCounts } from './counts.js';
import { ReplyStream } from './reply-stream.js';
import { gone, RequestQueue } from './request-queue.js';

/** After so many microseconds of waiting the event loop has a turn, whether replies come or not. */
const HOLD_US = 4000;
/** After a wait in vain the next one is left out, then two, four, at most these. */
const MAX_SKIPPED = 64;

/** What a receive returns at the end of the stream. */
const END = 0;
/** Results of a receive that end the connection, other than an error of the socket. */
const endings = new Map([
  [END, 'the helper closed the connection'],
  [-errno.EPROTO, 'the helper sent descriptors that nobody asked for'],
]);

type Encoders = { readonly [Name in RequestName]: RequestEncoder<Name> };
const encoders = Object.fromEntries(
  (Object.keys(requests) as RequestName[]).map((name) => [name, new RequestEncoder(name)]),
) as unknown as Encoders;

const resolved = Promise.resolve();

export interface HelperClientOptions {
  /**
   * Is told why when a helper has ended. Where it returns true, requests wait for another one: `replaceSocket`. One that
   * changes something and may have been begun is answered with EIO; all others are asked again.
   */
  readonly onGone?: (reason: string) => boolean;
  /** For how long it asks for a reply again and again, in microseconds at most: see `InputWait`. */
  readonly pollCeiling?: number;
  /** Is told once why there is no helper any more. From then on every request is answered with EIO. */
  readonly onLost?: (reason: string) => void;
  /** Another one than that which takes the descriptors of replies. */
  readonly receiver?: DescriptorReceiver;
}

/**
 * The helper, seen from the server: requests go out, their replies come in order.
 *
 * Requests that are made in one turn, before all promises that can go on have done so, go out together. The process then
 * sleeps for the replies, so that an ordinary trip takes no turn of the event loop, but only for a moment: a slow helper
 * keeps nobody else waiting.
 */
export class HelperClient {
  readonly #queue = new RequestQueue();
  readonly #replies: ReplyStream;
  readonly #clock = new MonotonicClock();
  readonly #onGone: (reason: string) => boolean;
  readonly #onLost: ((reason: string) => void) | undefined;
  readonly #pollCeiling: number;
  #connection: Connection | undefined;
  /** Whether there will be another one. */
  #isWaiting = false;
  #scheduled = false;
  /** Whether the next reply is the event loop's to wait for. */
  #resting = false;
  /** Microseconds of waiting since the event loop had its turn. */
  #held = 0;
  /** Waits still to be left out, and how many there were in this row. */
  #skip = 0;
  #skipped = 0;
  readonly #counts = new HelperCounts();

  /** @param socket a connected unix stream socket, which from now on is the client's own */
  constructor(
    socket: number,
    { pollCeiling = 0, onGone = (): boolean => false, onLost, receiver }: HelperClientOptions = {},
  ) {
    this.#replies = new ReplyStream(receiver);
    this.#pollCeiling = pollCeiling;
    this.#onGone = onGone;
    this.#onLost = onLost;
    this.#connection = this.#connect(socket);
  }

  get counts(): Readonly<HelperCounts> {
    return this.#counts;
  }

  /**
   * Asks the helper for something.
   *
   * @param fields stay as they are until the reply is here, for a second helper that may have to be asked
   * @param descriptor what a request with an empty path is about; to be kept open until the reply is here
   * @returns what the reply says, or -errno. A descriptor is the caller's to close.
   */
  request<Name extends RequestName>(
    name: Name,
    fields: FieldsOf<Name>,
    descriptor = -1,
  ): Promise<ReplyOf<Name> | number> {
    if (this.#connection === undefined && !this.#isWaiting) return Promise.resolve(-errno.EIO);
    const encoder: RequestEncoder<Name> = encoders[name];
    const bytes = encoder.measure(fields);
    if (bytes < 0) return Promise.resolve(bytes);
    this.#counts.requests++;
    const asked = 'size' in fields ? (fields.size as number) : 0;
    return new Promise((settle) => {
      // what is decoded for a request of this name is its kind of reply
      const resolve = settle as (reply: AnyReply) => void;
      this.#queue.add({ name, asked, resolve, bytes, encoder, fields, descriptor });
      this.#pumpSoon();
    });
  }

  /** Goes on with another helper. That the last one has ended need not have been noticed yet. */
  replaceSocket(socket: number): void {
    if (this.#connection !== undefined) this.#receive();
    if (this.#connection !== undefined) this.#leave(this.#connection);
    this.#isWaiting = false;
    this.#counts.replacements++;
    this.#connection = this.#connect(socket);
    this.#pumpSoon();
  }

  /** Every request that is not answered is answered with EIO. */
  close(): void {
    if (this.#connection !== undefined) this.#disconnect(this.#connection);
    this.#isWaiting = false;
    for (const { resolve } of this.#queue.clear()) resolve(-errno.EIO);
  }

  #connect(socket: number): Connection {
    this.#resting = false;
    this.#held = this.#skip = this.#skipped = 0;
    return new Connection(socket, {
      replies: this.#replies,
      clock: this.#clock,
      pollCeiling: this.#pollCeiling,
      woken: this.#woken,
    });
  }

  #disconnect(connection: Connection): void {
    this.#connection = undefined;
    connection.close();
    this.#replies.clear();
  }

  /** Keeps what another helper can be asked for. */
  #leave(connection: Connection): void {
    this.#disconnect(connection);
    this.#isWaiting = true;
    this.#queue.restart()?.resolve(-errno.EIO);
  }

  /**
   * The connection has come to an end.
   *
   * @param ended where it happened, which may have been replaced since then
   * @param result of the call that told so
   */
  #end(ended: Connection, result: number): void {
    if (this.#connection !== ended) return;
    const reason = endings.get(result) ?? errnoName(result);
    const isGone = result === END || gone.has(result);
    if (isGone && this.#onGone(reason)) this.#leave(ended);
    else this.#lose(ended, reason);
  }

  /** @param lost where it happened, which may have been replaced since then */
  #lose(lost: Connection, reason: string): void {
    if (this.#connection !== lost) return;
    this.close();
    this.#onLost?.(reason);
  }

  #pumpSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // a tick that is asked for by a promise comes after all other promises
    void resolved.then(this.#nextTick);
  }

  readonly #nextTick = (): void => {
    process.nextTick(this.#pump);
  };

  /** Sends what there is to send and waits for replies. What they let go on runs afterwards. */
  readonly #pump = (): void => {
    this.#scheduled = false;
    const { oldest } = this.#queue;
    this.#send();
    if (this.#connection === undefined || this.#resting || this.#queue.isEmpty()) return;
    const start = this.#clock.microseconds();
    // what was sent just now is not answered yet
    let answered = oldest === undefined ? 0 : this.#receive();
    if (answered === 0) {
      if (this.#skip > 0) {
        this.#skip--;
        this.#resting = true;
        return;
      }
      answered = this.#wait(start);
    }
    this.#held += elapsedMicroseconds(start, this.#clock.microseconds());
    if (answered === 0) {
      this.#skipped = Math.min(Math.max(1, 2 * this.#skipped), MAX_SKIPPED);
      this.#skip = this.#skipped;
      this.#resting = true;
    } else {
      this.#skipped = 0;
      this.#resting = this.#held >= HOLD_US;
      // for the replies that are still to come, and for what the window did not let through
      if (!this.#resting && !this.#queue.isEmpty()) this.#pumpSoon();
    }
  };

  /** @returns how many requests were answered; 0: in vain */
  #wait(start: number): number {
    let answered: number;
    do answered = this.#waitOnce();
    while (
      answered === 0 &&
      this.#connection !== undefined &&
      elapsedMicroseconds(start, this.#clock.microseconds()) < 1000 * WAIT_MS
    );
    return answered;
  }

  /** @returns how many requests were answered */
  #waitOnce(): number {
    const connection = this.#connection;
    if (connection === undefined) return 0;
    if (!this.#queue.blocked) return this.#receive(connection.wait.next(this.#clock.microseconds()));
    if (!connection.isReady()) return 0;
    this.#send();
    return this.#receive();
  }

  /** The event loop has something. */
  readonly #woken = (): void => {
    this.#held = 0;
    this.#resting = this.#receive() === 0 && !this.#queue.isEmpty();
    this.#send();
  };

  #send(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    const sent = this.#queue.send(connection.socket);
    if (typeof sent === 'number') {
      // what it answered before it left still counts
      this.#receive();
      this.#end(connection, sent);
      return;
    }
    if (sent) this.#counts.trips++;
    connection.expect(this.#queue.blocked);
  }

  /**
   * Takes the replies that are there.
   *
   * @param received what a receive has returned, if there was one already
   * @returns how many requests were answered
   */
  #receive(received?: number): number {
    const connection = this.#connection;
    const replies = this.#replies;
    let answered = 0;
    let next = received;
    while (connection !== undefined && this.#connection === connection) {
      const bytes = next ?? replies.receive(connection.socket);
      next = undefined;
      if (bytes === -errno.EAGAIN || bytes === -errno.EINTR) break;
      if (bytes > 0) answered += this.#resolve(connection);
      else this.#end(connection, bytes);
      if (replies.drained || this.#queue.isEmpty()) break;
    }
    return answered;
  }

  /** Answers the requests whose replies are here. @returns how many */
  #resolve(connection: Connection): number {
    for (let answered = 0; ; answered++) {
      const pending = this.#queue.oldest;
      if (pending === undefined) {
        if (this.#replies.hasMore) this.#lose(connection, 'the helper answered what nobody asked');
        return answered;
      }
      const found = this.#replies.take(pending);
      if (found === 'malformed')
        this.#lose(connection, `the helper sent a malformed reply to ${pending.name}`);
      if (found !== 'reply') return answered;
      this.#queue.answered(pending);
      pending.resolve(this.#replies.value);
    }
  }
}
