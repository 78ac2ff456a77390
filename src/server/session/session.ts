import * as errno from '../../abi/errno.js';
import { O_RDWR } from '../../abi/open-flags.js';
import type { Logger } from '../../observability/log.js';
import type { Refusals } from '../../observability/refusals.js';
import { FileStatus } from '../../syscalls/status.js';
import { FidTable } from '../fids/fid-table.js';
import { Locks } from '../fids/locks.js';
import { OpenFiles } from '../fids/open-files.js';
import type { HelperClient } from '../helper-client/helper-client.js';
import { type Context, type Handler, type Outcome, reply, type Settings } from '../operations/context.js';
import { handlers, isData } from '../operations/table.js';
import { decodeRequest } from '../p9/decode.js';
import type { Request, RequestOf, RequestType } from '../p9/messages.js';
import { NOTAG } from '../p9/numbers.js';
import { negotiate } from '../p9/version.js';
import type { ClientStream, StreamFactory } from '../transports/stream.js';
import { Framer, type Message } from './framer.js';
import { MessageBuffers } from '../operations/message-buffers.js';
import { Replies } from './replies.js';

/** What one client may have at most. */
export interface Limits {
  readonly messageBytes: number;
  readonly fids: number;
  readonly openFiles: number;
  /** Requests that are not answered yet. */
  readonly requests: number;
}

export interface SessionOptions {
  readonly limits: Limits;
  readonly settings: Settings;
  readonly log: Logger;
  readonly refusals: Refusals;
  /** Is told once; without a reason when the client has just left. */
  readonly ended: (reason?: string) => void;
}

/** A request that is not answered yet. */
interface Pending {
  readonly message: Message;
  readonly request: Exclude<Request, RequestOf<'Tversion' | 'Tflush'>>;
  /** Those who asked to drop it, to be answered when it is done. */
  readonly flushes: number[];
}

/** Before there is an agreement, a message is this long at most. */
const FIRST_MESSAGE_BYTES = 8192;
/** A client that reads nothing gets no more of its requests looked at. */
const MAX_UNREAD_BYTES = 1_048_576;

/**
 * Serves one client.
 *
 * Requests are carried out in the order in which they came, one after the other, as the helper would do it: so no request
 * sees a fid that another one is about to change. Only what works with an open file alone runs beside them, since it may
 * have to wait for a disk: reading, writing and syncing.
 */
export class Session {
  readonly #stream: ClientStream;
  readonly #framer: Framer;
  readonly #buffers: MessageBuffers;
  readonly #context: Context;
  readonly #options: SessionOptions;
  readonly #replies: Replies;
  readonly #pending = new Map<number, Pending>();
  /** In the order in which they are to be carried out. */
  #queue: Pending[] = [];
  #isWorking = false;
  #isPaused = false;
  #isOpen = true;
  /** Whether the client has said which dialect it speaks. */
  #agreed = false;
  /** A Tversion that waits for the request under way. */
  #renewal: { readonly message: Message; readonly request: RequestOf<'Tversion'> } | undefined;
  /** A new Tversion forgets all that was asked before. */
  #epoch = 0;
  #served = 0;

  constructor(connect: StreamFactory, helper: HelperClient, options: SessionOptions) {
    const { limits, settings } = options;
    this.#options = options;
    this.#buffers = new MessageBuffers(limits.messageBytes);
    this.#framer = new Framer(this.#buffers, Math.min(FIRST_MESSAGE_BYTES, limits.messageBytes));
    const locks = new Locks((file) =>
      // O_RDWR, as the guest's process may lock for both; the helper refuses what the file's own descriptor does not allow
      helper.request('open', { path: new Uint8Array(), flags: O_RDWR }, file.descriptor),
    );
    this.#context = {
      helper,
      settings,
      fids: new FidTable(limits.fids),
      files: new OpenFiles(limits.openFiles, locks),
      locks,
      buffers: this.#buffers,
      status: new FileStatus(),
      dialect: '9P2000.L',
      msize: FIRST_MESSAGE_BYTES,
      root: undefined,
      changes: 0,
      attributeBytes: 0,
    };
    this.#stream = connect({
      received: (bytes) => {
        this.#received(bytes);
      },
      closed: (error) => {
        this.end(error ?? (this.#framer.partial ? 'it left in the middle of a message' : undefined));
      },
      drained: () => {
        this.#resumeIfReady();
      },
    });
    this.#replies = new Replies(this.#stream, this.#context);
  }

  /** Requests answered so far. */
  get served(): number {
    return this.#served;
  }

  #received(bytes: Uint8Array): void {
    const wrong = this.#framer.take(bytes, (message) => {
      if (this.#isOpen) this.#take(message);
      else this.#buffers.give(message.buffer);
    });
    if (wrong !== undefined) this.#violated(wrong);
    this.#pauseIfFull();
  }

  #pauseIfFull(): void {
    const { requests } = this.#options.limits;
    if (this.#isPaused || !this.#isOpen) return;
    if (this.#pending.size < requests && this.#stream.buffered < MAX_UNREAD_BYTES) return;
    this.#isPaused = true;
    this.#stream.pause();
  }

  #resumeIfReady(): void {
    const { requests } = this.#options.limits;
    if (!this.#isPaused || !this.#isOpen) return;
    if (this.#pending.size >= requests || this.#stream.buffered >= MAX_UNREAD_BYTES) return;
    this.#isPaused = false;
    this.#stream.resume();
  }

  #take(message: Message): void {
    const { dialect } = this.#context;
    const request = decodeRequest(message.frame, this.#agreed ? dialect : undefined);
    if ('malformed' in request) {
      this.#buffers.give(message.buffer);
      this.#violated(request.malformed);
      return;
    }
    const { tag } = request;
    if (this.#renewal !== undefined) this.#violated('a message before the answer to Tversion');
    else if (request.type === 'Tversion') {
      this.#forget();
      this.#renewal = { message, request };
      if (!this.#isWorking) this.#agree();
      return;
    } else if (request.type === 'Tflush') this.#flush(request);
    else if (tag === NOTAG || this.#pending.has(tag)) this.#violated(`tag ${tag} is in use already`);
    else if (request.type === 'refused') this.#replies.fail(tag, request.errno);
    else {
      this.#accept({ message, request, flushes: [] });
      return;
    }
    this.#buffers.give(message.buffer);
  }

  /** Nobody waits any more for what was asked before. */
  #forget(): void {
    this.#epoch++;
    for (const { message } of this.#queue) this.#buffers.give(message.buffer);
    this.#queue = [];
    this.#pending.clear();
  }

  /** Agrees on a dialect, with no request under way that could make a fid. */
  #agree(): void {
    const renewal = this.#renewal;
    if (renewal === undefined) return;
    this.#renewal = undefined;
    this.#buffers.give(renewal.message.buffer);
    const { request } = renewal;
    const { limits } = this.#options;
    const context = this.#context;
    const agreement = negotiate(request, limits.messageBytes);
    context.fids.clear();
    context.root?.release();
    context.root = undefined;
    this.#agreed = false;
    if ('errno' in agreement) {
      context.dialect = agreement.dialect;
      this.#replies.fail(request.tag, agreement.errno);
      return;
    }
    const { dialect, msize, version } = agreement;
    if (dialect !== undefined) {
      context.dialect = dialect;
      context.msize = this.#framer.limit = msize;
      this.#agreed = true;
      this.#options.log.debug({ dialect, msize }, 'the client speaks');
    }
    this.#replies.answer(request.tag, reply('Rversion', { msize, version }));
  }

  /** A request that has not begun is dropped; one that has is answered first. Then its tag is free. */
  #flush({ tag, oldtag }: RequestOf<'Tflush'>): void {
    const pending = this.#pending.get(oldtag);
    const waiting = pending === undefined ? -1 : this.#queue.indexOf(pending);
    if (pending !== undefined && waiting < 0) {
      pending.flushes.push(tag);
      return;
    }
    if (pending !== undefined) {
      this.#queue.splice(waiting, 1);
      this.#pending.delete(oldtag);
      this.#buffers.give(pending.message.buffer);
      for (const flush of pending.flushes) this.#replies.flushed(flush);
    }
    this.#replies.flushed(tag);
  }

  #accept(pending: Pending): void {
    this.#pending.set(pending.request.tag, pending);
    if (this.#runsBeside(pending.request)) void this.#carryOut(pending);
    else {
      this.#queue.push(pending);
      if (!this.#isWorking) void this.#work();
    }
  }

  /** Whether a request needs nothing but a file that is open already, with which no other request has to do. */
  #runsBeside(request: Pending['request']): boolean {
    if (!isData(request)) return false;
    const { fid: number } = request;
    const fid = this.#context.fids.get(number);
    if (fid?.file === undefined || fid.file.directory !== undefined || fid.transfer !== undefined)
      return false;
    if (!this.#isWorking) return true;
    return [...this.#pending.values()].every(
      ({ request: other }) => other === request || isData(other) || !('fid' in other) || other.fid !== number,
    );
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      await this.#carryOut(next);
    }
    this.#isWorking = false;
    if (this.#isOpen) this.#agree();
    else this.#context.fids.clear(); // the last request made some after the end
  }

  async #carryOut(pending: Pending): Promise<void> {
    const { request, message, flushes } = pending;
    const epoch = this.#epoch;
    // what the table has for a type takes requests of that type
    const handler = handlers[request.type] as Handler<RequestType>;
    let outcome: Outcome;
    try {
      outcome = await handler(request, this.#context, message.buffer);
    } catch (error) {
      const details = { request: request.type, err: error };
      this.#options.refusals.report('a request failed by a bug; answered EIO', details, 'error');
      outcome = -errno.EIO;
    }
    // after a new Tversion nobody waits for it
    if (epoch === this.#epoch && this.#isOpen) {
      this.#pending.delete(request.tag);
      this.#served++;
      this.#replies.answer(request.tag, outcome);
      for (const flush of flushes) this.#replies.flushed(flush);
    }
    if (typeof outcome === 'object' && 'buffer' in outcome) this.#buffers.give(outcome.buffer);
    this.#buffers.give(message.buffer);
    this.#pauseIfFull();
    this.#resumeIfReady();
  }

  #violated(reason: string): void {
    this.end(`it broke the protocol: ${reason}`);
  }

  /** Ends the session. @param reason why, unless the client has just left */
  end(reason?: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#forget();
    this.#renewal = undefined;
    this.#stream.close();
    this.#context.fids.clear();
    this.#options.ended(reason);
  }
}
