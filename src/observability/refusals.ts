import type { Logger } from './log.js';

/** At most this many lines ... */
const LINES = 10;
/** ... in this many milliseconds, for each kind of refusal. */
const PERIOD_MS = 60_000;

/** So many of one thing in a while. */
export class LineLimit {
  #since = performance.now();
  #count = 0;
  #suppressed = 0;

  /** Counts one. @returns how many were suppressed before it, or undefined when this one is to be */
  take(): number | undefined {
    const now = performance.now();
    if (now - this.#since >= PERIOD_MS) {
      this.#since = now;
      this.#count = 0;
    }
    this.#count++;
    if (this.#count > LINES) {
      this.#suppressed++;
      return undefined;
    }
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    return suppressed;
  }
}

/**
 * Logs what a client can cause again and again (what was refused, what failed by a bug), one line each, but never more
 * than a guest can be allowed to write to the host's disk: what is over the limit is counted and told with the next line
 * that is written.
 */
export class Refusals {
  readonly #log: Logger;
  readonly #kinds = new Map<string, LineLimit>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** @param kind a fixed text of ours, never anything that the client chose */
  report(kind: string, details: Readonly<Record<string, unknown>>, level: 'warn' | 'error' = 'warn'): void {
    let limit = this.#kinds.get(kind);
    if (limit === undefined) {
      limit = new LineLimit();
      this.#kinds.set(kind, limit);
    }
    const suppressed = limit.take();
    if (suppressed === undefined) return;
    this.#log[level](suppressed > 0 ? { ...details, suppressed } : details, kind);
  }
}
