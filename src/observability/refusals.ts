import type { Logger } from './log.js';

/** At most this many lines ... */
const LINES = 10;
/** ... in this many milliseconds, for each kind of refusal. */
const PERIOD_MS = 60_000;

interface Kind {
  since: number;
  count: number;
}

/**
 * Logs what a client can cause again and again (what was refused, what failed by a bug), one line each, but never more
 * than a guest can be allowed to write to the host's disk: what is over the limit is counted and told with the next line
 * that is written.
 */
export class Refusals {
  readonly #log: Logger;
  readonly #kinds = new Map<string, Kind>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** @param kind a fixed text of ours, never anything that the client chose */
  report(kind: string, details: Readonly<Record<string, unknown>>, level: 'warn' | 'error' = 'warn'): void {
    const now = performance.now();
    let state = this.#kinds.get(kind);
    if (state === undefined) {
      state = { since: now, count: 0 };
      this.#kinds.set(kind, state);
    }
    const suppressed = Math.max(0, state.count - LINES);
    if (now - state.since >= PERIOD_MS) {
      state.since = now;
      state.count = 0;
    }
    state.count++;
    if (state.count > LINES) return;
    this.#log[level](suppressed > 0 && state.count === 1 ? { ...details, suppressed } : details, kind);
  }
}
