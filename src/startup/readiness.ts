import { lineOf, type StartError } from './start-errors.js';
import type { Notifier } from '../service/notifications.js';
import { duplicateTo } from '../syscalls/process.js';
import { READY, report } from './report.js';

const STDIN = 0;
const STDERR = 2;

/** Who waits for a program to be ready. */
export interface Waiting {
  readonly notifier: Notifier;
  /** A descriptor for the report; undefined where nobody waits for one. */
  readonly report: number | undefined;
  /** Whether stdin is /dev/null and stderr is kept by the process that the user started, until the report. */
  readonly background: boolean;
}

/** Tells those who wait for a start how it went, once. */
export class Readiness {
  readonly notifier: Notifier;
  readonly #report: number | undefined;
  readonly #background: boolean;
  #told = false;

  constructor({ notifier, report, background }: Waiting) {
    this.notifier = notifier;
    this.#report = report;
    this.#background = background;
  }

  /** The program is ready. */
  tell(): void {
    if (this.#told) return;
    this.#told = true;
    // nobody reads it from now on
    if (this.#background) duplicateTo(STDIN, STDERR);
    this.notifier.ready();
    report(this.#report, READY);
  }

  /** The program will never be ready. @returns whether somebody was told why: otherwise stderr should be */
  fail(error: StartError): boolean {
    if (this.#told) return false;
    this.#told = true;
    report(this.#report, lineOf(error));
    return this.#report !== undefined;
  }
}

/**
 * Waits until the event loop has asked the kernel for events, under all that confines the process by then: a call that
 * is forbidden to the loop itself, whatever the version of Node, ends the process before it has said that it is ready.
 */
export function turnOfTheEventLoop(): Promise<void> {
  return new Promise((resolve) => {
    // the first comes in the turn that is on, or in the next: between it and the second the loop has polled
    setImmediate(() => setImmediate(resolve));
  });
}
