/** Helpers that died are counted for so long: milliseconds. */
export const PERIOD_MS = 60_000;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 1000;

/** How soon a helper may be started in place of one that died. */
export class Restarts {
  readonly #limit: number;
  /** When the last ones were, within the period. */
  #times: number[] = [];

  /** @param limit how many there may be within the period */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Counts one more. @returns how long it is to wait, in milliseconds; undefined when there were too many */
  next(now: number): number | undefined {
    this.#times = this.#times.filter((time) => time > now - PERIOD_MS);
    const before = this.#times.length;
    if (before >= this.#limit) return undefined;
    this.#times.push(now);
    return before === 0 ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** (before - 1), MAX_PAUSE_MS);
  }
}
