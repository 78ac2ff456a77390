import type { Logger } from '../../observability/log.js';
import type { Refusals } from '../../observability/refusals.js';
import type { Statistics } from '../../observability/statistics.js';
import type { OperationContext } from '../operations/context.js';
import { HEADER_BYTES } from '../../proxy-protocol/frame.js';
import { encodeReply } from '../../proxy-protocol/replies.js';
import * as errno from '../../abi/errno.js';
import { errnoName } from '../../abi/errno-text.js';
import { EventLoop } from '../../syscalls/event-loop.js';
import { elapsedMicroseconds, type MonotonicClock } from '../../syscalls/process.js';
import { setReceiveTimeout } from '../../syscalls/sockets.js';
import { closeStranger } from '../../syscalls/stranger.js';
import type { Connection } from '../transport/connection.js';
import { type Operation, operationsByOpcode } from '../operations/table.js';
import { idleWait, type IdleWait } from './idle-wait.js';
import type { InputWait } from '../../syscalls/input-wait.js';
import { resultText } from '../operations/trace-text.js';

/** How a session ended: the client left, it broke the protocol, the socket failed, or we were told to stop. */
export type SessionEnd = 'closed' | 'violation' | 'failed' | 'stopped';

/** What comes next: another request; libuv's turn; nothing, or not now. */
type Step = 'next' | 'pause' | 'stop';

/** How often the event loop is asked whether it has something to do, so that signals and timers are served: microseconds. */
const LOOK_US = 4000;
/** How long the process sleeps in a receive before libuv takes over: milliseconds. */
const SLEEP_MS = 10;
/** How long to wait before asking a client that does not read its replies again, at first and at most: milliseconds. */
const MIN_RETRY_MS = 1;
const MAX_RETRY_MS = 16;

/** What a session works with. */
export interface SessionParts {
  /** The connected socket, which the session owns from now on. */
  readonly descriptor: number;
  readonly connection: Connection;
  readonly wait: InputWait;
  readonly clock: MonotonicClock;
  readonly context: OperationContext;
  readonly statistics: Statistics;
  readonly log: Logger;
  readonly refusals: Refusals;
}

/** What a session tells. */
export interface SessionEvents {
  readonly ended: (end: SessionEnd) => never;
  /** Requests came after a pause; called again with every turn of the event loop. */
  readonly woken: () => void;
}

/**
 * Serves one client from its first request to its end.
 *
 * While requests keep coming the session stays in its own loop (`InputWait`); when they stop, libuv waits on the
 * socket, and an idle session costs nothing.
 */
export class Session {
  private readonly connection: Connection;
  private readonly wait: InputWait;
  private readonly clock: MonotonicClock;
  private readonly statistics: Statistics;
  private readonly log: Logger;
  private readonly refusals: Refusals;
  private readonly scope: OperationContext['scope'];
  readonly #operations: readonly (Operation | undefined)[];
  private readonly idle: IdleWait;
  readonly #eventLoop = new EventLoop();
  private readonly descriptor: number;
  private readonly ended: (end: SessionEnd) => never;
  /** When the request in hand came, and when the event loop was looked at: microseconds of the clock. */
  #received = 0;
  #looked = 0;
  /** Whether the event loop waits for its turn. */
  #turn = false;
  #served = 0;
  /** The opcode of the last request that was answered. */
  #last = 0;

  constructor(parts: SessionParts, { ended, woken }: SessionEvents) {
    const { descriptor, connection, context, log } = parts;
    this.connection = connection;
    this.wait = parts.wait;
    this.clock = parts.clock;
    this.statistics = parts.statistics;
    this.scope = context.scope;
    this.log = log;
    this.refusals = parts.refusals;
    this.descriptor = descriptor;
    this.ended = ended;
    const trace = (line: string): void => {
      log.trace(line);
    };
    const isTracing = log.isLevelEnabled('trace');
    this.#operations = operationsByOpcode(connection.request, context, isTracing ? trace : undefined);
    this.idle = idleWait(descriptor, connection, {
      arrived: () => {
        woken();
        return this.#serve();
      },
      ended: () => {
        this.#disconnected();
      },
      failed: (reason) => {
        this.#failed(reason);
      },
    });
    setReceiveTimeout(descriptor, SLEEP_MS);
  }

  /** Looks at the first request. */
  begin(): void {
    this.idle.resume();
  }

  /** Requests answered so far. */
  get served(): number {
    return this.#served;
  }

  /** Ends the session from our side. */
  end(): void {
    this.#finish('stopped');
  }

  /** Works until nothing comes or the event loop has something to do. @returns whether libuv shall go on reading */
  #serve(): boolean {
    this.#received = this.clock.microseconds();
    this.#looked = this.#received;
    // libuv leaves signals until it is done with all other descriptors that are ready, of which this may be the first
    this.#turn = this.#eventLoop.hasWork;
    let step: Step;
    do step = this.#step();
    while (step === 'next');
    return step === 'pause';
  }

  /**
   * Answers what was received and waits for more. A closure, not a method: V8 compiles it with this one session as a
   * constant, and with it all that the session has.
   */
  readonly #step = (): Step => {
    const received = this.#received;
    // with a request in hand: a client that waits for its reply does not make its own socket one of the ready ones
    if (elapsedMicroseconds(this.#looked, received) >= LOOK_US) {
      this.#turn = this.#eventLoop.hasWork;
      this.#looked = received;
    }
    const before = this.#served;
    if (!this.#serveReceived()) return 'stop';
    const done = this.clock.microseconds();
    // of requests that came together, which no client of today sends, it is not known how long each of them took
    if (this.#served === before + 1) this.statistics.time(this.#last, elapsedMicroseconds(received, done));
    if (this.#turn) return 'pause';
    const bytes = this.wait.next(done);
    if (bytes > 0) {
      this.#received = this.wait.now;
      return 'next';
    }
    if (bytes === -errno.EAGAIN) return 'pause';
    if (bytes === 0) this.#disconnected();
    else this.#failed(errnoName(bytes));
    return 'stop';
  };

  /** Answers every whole request that was received. @returns whether to go on receiving */
  #serveReceived(): boolean {
    const connection = this.connection;
    for (;;) {
      const received = connection.take();
      if (received === 'incomplete') return true;
      const { type, payloadBytes } = connection.request;
      if (received === 'oversized') {
        this.#violated(`a request of ${payloadBytes} bytes (type ${type}), more than the protocol allows`);
        return false;
      }
      const operation = this.#operations[type];
      if (operation === undefined) {
        this.#violated(`a request of unknown type ${type}`);
        return false;
      }
      const failed = this.#answer(operation, payloadBytes);
      connection.consume();
      this.#served++;
      this.#last = type;
      if (failed < 0) {
        this.#failed(errnoName(failed));
        return false;
      }
      if (connection.blocked) {
        this.#retryLater(MIN_RETRY_MS);
        return false;
      }
    }
  }

  /** @returns 0, or -errno when the reply could not be sent */
  #answer(operation: Operation, size: number): number {
    const connection = this.connection;
    const { reply } = connection;
    let result = operation.decoder.decode(size);
    if (result < 0) this.#refused(operation, result);
    else result = this.#execute(operation);
    const length = encodeReply(reply, operation.reply, result);
    this.statistics.count(operation.opcode, result, HEADER_BYTES + size, length);
    if (operation.reply === 'descriptor' && result >= 0) return this.#answerDescriptor(operation, result);
    this.scope.end();
    return connection.send(length);
  }

  #answerDescriptor({ opcode }: Operation, descriptor: number): number {
    this.statistics.descriptorOpened();
    this.scope.hold(descriptor);
    return this.#concludeDescriptor(opcode, this.connection.sendDescriptor(descriptor));
  }

  /**
   * Ends a request that opened something, unless the client does not read. What the kernel does not pass on is closed
   * and answered with the reason, as if it could not be opened.
   *
   * @param failed 0, or -errno of the attempt to send it
   * @returns 0, or -errno when there is no answering any more
   */
  #concludeDescriptor(opcode: number, failed: number): number {
    const connection = this.connection;
    if (connection.blocked) return 0;
    this.scope.end();
    if (failed >= 0) {
      this.statistics.descriptorPassed();
      return 0;
    }
    this.statistics.descriptorRefused(opcode);
    const answered = connection.send(encodeReply(connection.reply, 'descriptor', failed));
    if (answered >= 0)
      this.refusals.report('could not pass an open file to the client', { error: errnoName(failed) });
    return answered;
  }

  #refused({ name, reply }: Operation, result: number): void {
    this.log.trace(`${name} (malformed) = ${resultText(reply, result)}`);
    this.refusals.report('refused a malformed request', { request: name, error: errnoName(result) });
  }

  /** A bug in one operation is an EIO of that operation, not the end of the share. */
  #execute(operation: Operation): number {
    try {
      return operation.execute(operation.request);
    } catch (error) {
      const details = { request: operation.name, err: error };
      this.refusals.report('an operation failed by a bug; answered EIO', details, 'error');
      return -errno.EIO;
    }
  }

  #retryLater(delay: number): void {
    setTimeout(() => {
      const isDescriptor = this.connection.hasUnsentDescriptor;
      let failed = this.connection.flush();
      if (isDescriptor) failed = this.#concludeDescriptor(this.#last, failed);
      if (failed < 0) this.#failed(errnoName(failed));
      else if (this.connection.blocked) this.#retryLater(Math.min(2 * delay, MAX_RETRY_MS));
      else if (this.#serve()) this.idle.resume();
    }, delay);
  }

  #disconnected(): void {
    if (this.connection.partial) this.#violated('the client left in the middle of a request');
    else this.#finish('closed');
  }

  #violated(reason: string): void {
    this.log.error({ requests: this.#served }, `protocol violation: ${reason}`);
    this.#finish('violation');
  }

  #failed(reason: string): void {
    // how a client that was killed looks from here when it had a reply to read
    const gone = reason === 'EPIPE' || reason === 'ECONNRESET';
    if (gone) this.#finish('closed');
    else {
      this.log.error({ error: reason }, 'the connection failed');
      this.#finish('failed');
    }
  }

  /** Before the end of the process, which takes milliseconds to give its memory back and then closes. */
  #finish(end: SessionEnd): never {
    closeStranger(this.descriptor);
    return this.ended(end);
  }
}
