import { ExitStatus } from '../startup/exit-status.js';
import type { HelperLoss, HelperSource, ServingHelper } from './helper-source.js';
import { ServedExport } from './served-export.js';
import { type HelperEnd, type Share, startShare } from './share.js';

/** How a helper ends by itself: the server left it, or is to blame. */
const itsOwn: readonly (number | null)[] = [ExitStatus.OK, ExitStatus.PROTOCOL_VIOLATION];

/** Helpers that are children of this process, and serve the same directory. */
export class StartedHelpers implements HelperSource {
  readonly #program: string;
  readonly #options: readonly string[];
  readonly #served: ServedExport;

  /**
   * @param program the starting program of a helper, `main.js`
   * @param path what is shared
   * @param options of the command line
   */
  constructor(program: string, path: string, options: readonly string[]) {
    this.#program = program;
    this.#options = options;
    this.#served = new ServedExport(path);
  }

  async first(abandoned: AbortSignal): Promise<ServingHelper> {
    const share = await startShare(this.#program, this.#options, 'inherit', abandoned);
    this.#served.add(share.child);
    return servingHelper(share);
  }

  async next(abandoned: AbortSignal): Promise<ServingHelper | string> {
    const former = this.#served.formerMounts;
    const options = former.length === 0 ? [] : [`--former-mounts=${former.join()}`];
    const share = await startShare(this.#program, [...this.#options, ...options], 'inherit', abandoned);
    if (this.#served.add(share.child)) return servingHelper(share);
    await share.stop();
    return 'the exported directory is not the one that it was';
  }

  close(): void {
    this.#served.close();
  }
}

function servingHelper(share: Share): ServingHelper {
  return {
    descriptor: share.descriptor,
    lost: share.ended.then(lossOf),
    release: () => {
      share.release();
    },
    signal: (signal) => {
      share.signal(signal);
    },
    stop: () => share.stop(),
  };
}

/** One that made a forbidden call may have been taken over, and is not replaced. */
function lossOf({ status, signal }: HelperEnd): HelperLoss {
  return {
    reason: `the helper ended (${signal ?? `status ${status}`})`,
    isReplaced: signal !== 'SIGSYS' && !itsOwn.includes(status),
    // a helper whose server has left ends as it should
    isFailure: status !== ExitStatus.OK,
  };
}
