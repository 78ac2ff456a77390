import * as errno from '../../abi/errno.js';
import type { Refusals } from '../../observability/refusals.js';
import type { Context, Handler, Outcome } from '../operations/context.js';
import type { Message } from '../operations/message.js';
import { handlers } from '../operations/table.js';
import type { Request, RequestOf, RequestType } from '../p9/messages.js';

/** What a handler carries out. */
type FileRequest = Exclude<Request, RequestOf<'Tversion' | 'Tflush'>>;

/** Carries out requests. A bug in one is an EIO of that one, not the end of the share. */
export class Execution {
  readonly #context: Context;
  readonly #refusals: Refusals;

  constructor(context: Context, refusals: Refusals) {
    this.#context = context;
    this.#refusals = refusals;
  }

  /** @returns the outcome itself where nothing had to be waited for */
  run(request: FileRequest, message: Message): Outcome | Promise<Outcome> {
    // what the table has for a type takes requests of that type
    const handler = handlers[request.type] as Handler<RequestType>;
    try {
      const outcome = handler(request, this.#context, message);
      return outcome instanceof Promise ? this.#settled(request, outcome) : outcome;
    } catch (error) {
      return this.#bug(request, error);
    }
  }

  async #settled(request: FileRequest, outcome: Promise<Outcome>): Promise<Outcome> {
    try {
      return await outcome;
    } catch (error) {
      return this.#bug(request, error);
    }
  }

  #bug(request: FileRequest, error: unknown): number {
    const details = { request: request.type, err: error };
    this.#refusals.report('a request failed by a bug; answered EIO', details, 'error');
    return -errno.EIO;
  }
}
