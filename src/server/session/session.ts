import * as errno from '../../abi/errno.js';
import { O_RDWR } from '../../abi/open-flags.js';
import type { Logger } from '../../observability/log.js';
import type { Refusals } from '../../observability/refusals.js';
import type { SessionFigures } from '../../observability/server-status.js';
import { FileStatus } from '../../syscalls/status.js';
import { FidTable } from '../fids/fid-table.js';
import { Locks } from '../fids/locks.js';
import { OpenFiles } from '../fids/open-files.js';
import type { HelperClient } from '../helper-client/helper-client.js';
import { type Context, type Outcome, reply, type Settings } from '../operations/context.js';
import { isData } from '../operations/table.js';
import { decodeRequest, tagOf } from '../p9/decode.js';
import type { RequestOf } from '../p9/messages.js';
import { NOTAG } from '../p9/numbers.js';
import { negotiate } from '../p9/version.js';
import type { Message } from '../operations/message.js';
import { MessageBuffers } from '../operations/message-buffers.js';
import type { Channel, ChannelFactory } from './channel.js';
import { Execution } from './execution.js';
import { figuresOf } from './figures.js';
import { traceTo } from './message-trace.js';
import type { MessageStatistics } from './message-statistics.js';
import { Replies } from './replies.js';
import { type Pending, Requests } from './requests.js';

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
  readonly statistics: MessageStatistics;
  /** Is told once; without a reason when the client has just left. */
  readonly ended: (reason?: string) => void;
}

/** Before there is an agreement, a message is this long at most. */
const FIRST_MESSAGE_BYTES = 8192;

/**
 * Serves one client.
 *
 * Requests are carried out in the order in which they came, one after the other, as the helper would do it: so no request
 * sees a fid that another one is about to change. Only what works with an open file alone runs beside them, since it may
 * have to wait for a disk: reading, writing and syncing.
 */
export class Session {
  readonly #channel: Channel;
  readonly #buffers: MessageBuffers;
  readonly #context: Context;
  readonly #options: SessionOptions;
  readonly #replies: Replies;
  readonly #execution: Execution;
  readonly #requests: Requests;
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

  constructor(connect: ChannelFactory, helper: HelperClient, options: SessionOptions) {
    const { limits, settings } = options;
    this.#options = options;
    this.#buffers = new MessageBuffers(limits.messageBytes);
    const locks: Locks = new Locks((file) =>
      files.makeRoom() < 0
        ? -errno.ENOLCK
        : // O_RDWR, as the guest's process may lock for both; the helper refuses what the file's descriptor does not allow
          helper.request('open', { path: new Uint8Array(), flags: O_RDWR }, file.descriptor),
    );
    const files: OpenFiles = new OpenFiles(limits.openFiles, locks, (path, flags) =>
      helper.request('open', { path, flags }),
    );
    this.#context = {
      helper,
      settings,
      fids: new FidTable(limits.fids),
      files,
      locks,
      buffers: this.#buffers,
      status: new FileStatus(),
      dialect: '9P2000.L',
      msize: FIRST_MESSAGE_BYTES,
      root: undefined,
      changes: 0,
      attributeBytes: 0,
      fileBytes: { read: 0, written: 0 },
    };
    this.#channel = connect(
      {
        received: (message) => {
          options.statistics.arrived(message);
          this.#take(message);
          this.#steer();
        },
        violated: (reason) => {
          this.#violated(reason);
        },
        restarted: () => {
          this.#forget();
          this.#renew();
        },
        closed: (error) => {
          this.end(error);
        },
        drained: () => {
          this.#steer();
        },
      },
      this.#buffers,
    );
    this.#channel.limit = Math.min(FIRST_MESSAGE_BYTES, limits.messageBytes);
    this.#replies = new Replies(this.#context, options.statistics, traceTo(options.log));
    this.#requests = new Requests(this.#replies);
    this.#execution = new Execution(this.#context, options.refusals);
  }

  /** Requests answered so far. */
  get served(): number {
    return this.#served;
  }

  get figures(): SessionFigures {
    return figuresOf(this.#context, this.#agreed);
  }

  /** Receives while there is room. With nothing under way nothing but the client can have anything to do. */
  #steer(): void {
    if (!this.#isOpen) return;
    const channel = this.#channel;
    const isFull = this.#requests.size >= this.#options.limits.requests || channel.congested;
    if (isFull !== this.#isPaused) {
      this.#isPaused = isFull;
      if (isFull) channel.pause();
      else channel.resume();
    }
    if (this.#requests.size === 0) channel.expect();
  }

  #take(message: Message): void {
    const { dialect } = this.#context;
    const request = decodeRequest(message.frame, this.#agreed ? dialect : undefined, message.absent);
    if ('malformed' in request) {
      this.#refuse(message, request.malformed);
      return;
    }
    const { tag } = request;
    if (this.#renewal !== undefined) this.#refuse(message, 'a message before the answer to Tversion');
    else if (request.type === 'Tversion') {
      this.#forget();
      this.#renewal = { message, request };
      if (!this.#isWorking) this.#agree();
    } else if (request.type === 'Tflush')
      this.#answer(this.#requests.flush(request.oldtag, { message, tag }));
    else if (tag === NOTAG || this.#requests.has(tag)) this.#refuse(message, `tag ${tag} is in use already`);
    else if (request.type === 'refused') this.#replies.fail(message, tag, request.errno);
    else this.#accept({ message, request, flushes: [] });
  }

  /** Answers what no client sends, where the next message is as good as any. */
  #refuse(message: Message, reason: string): void {
    if (!this.#channel.resumable) {
      this.#replies.drop(message);
      this.#violated(reason);
      return;
    }
    this.#options.refusals.report('refused a message of the client', { reason });
    this.#replies.fail(message, tagOf(message.frame), errno.EPROTO);
  }

  /** Nobody waits any more for what was asked before. */
  #forget(): void {
    this.#epoch++;
    this.#requests.forget();
    if (this.#renewal !== undefined) this.#replies.drop(this.#renewal.message);
    this.#renewal = undefined;
  }

  /** Agrees on a dialect, with no request under way that could make a fid. */
  #agree(): void {
    const renewal = this.#renewal;
    if (renewal === undefined) return;
    this.#renewal = undefined;
    const { message, request } = renewal;
    const { limits } = this.#options;
    const context = this.#context;
    const agreement = negotiate(request, limits.messageBytes);
    this.#renew();
    if ('errno' in agreement) {
      context.dialect = agreement.dialect;
      this.#replies.fail(message, request.tag, agreement.errno);
      return;
    }
    const { dialect, msize, version } = agreement;
    if (dialect !== undefined) {
      context.dialect = dialect;
      context.msize = this.#channel.limit = msize;
      this.#agreed = true;
      this.#options.log.debug({ dialect, msize }, 'the client speaks');
    }
    this.#replies.answer(message, request.tag, reply('Rversion', { msize, version }));
  }

  /** All fids end. */
  #renew(): void {
    const context = this.#context;
    context.fids.clear();
    context.root?.release();
    context.root = undefined;
    this.#agreed = false;
  }

  #answer(flushes: ReturnType<Requests['flush']>): void {
    for (const { message, tag } of flushes) this.#replies.flushed(message, tag);
  }

  #accept(pending: Pending): void {
    this.#requests.add(pending);
    if (this.#runsBeside(pending.request)) void this.#carryOut(pending);
    else {
      this.#requests.enqueue(pending);
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
    if (fid.file.isAway) return false;
    return !this.#isWorking || this.#requests.isAloneWith(number, request);
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let next = this.#requests.next(); next !== undefined; next = this.#requests.next()) {
      const waits = this.#carryOut(next);
      if (waits !== undefined) await waits;
    }
    this.#isWorking = false;
    if (this.#isOpen) this.#agree();
    else this.#context.fids.clear(); // the last request made some after the end
  }

  /** @returns undefined where nothing had to be waited for */
  #carryOut(pending: Pending): Promise<void> | undefined {
    const epoch = this.#epoch;
    const outcome = this.#execution.run(pending.request, pending.message);
    if (outcome instanceof Promise)
      return outcome.then((settled) => {
        this.#conclude(pending, epoch, settled);
      });
    this.#conclude(pending, epoch, outcome);
    return undefined;
  }

  #conclude(pending: Pending, epoch: number, outcome: Outcome): void {
    const { request, message } = pending;
    // after a new Tversion nobody waits for it
    if (epoch === this.#epoch && this.#isOpen) {
      const flushes = this.#requests.done(pending);
      this.#served++;
      this.#replies.answer(message, request.tag, outcome);
      this.#answer(flushes);
    } else this.#replies.drop(message);
    if (typeof outcome === 'object' && 'buffer' in outcome) this.#buffers.give(outcome.buffer);
    this.#steer();
  }

  #violated(reason: string): void {
    this.end(`it broke the protocol: ${reason}`);
  }

  /** Ends the session. @param reason why, unless the client has just left */
  end(reason?: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#forget();
    this.#channel.close();
    this.#context.fids.clear();
    this.#options.ended(reason);
  }
}
