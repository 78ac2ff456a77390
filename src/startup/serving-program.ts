import type { Logger } from '../observability/log.js';
import { exitNow, returnFreedMemory } from '../syscalls/process.js';
import { ExitStatus } from './exit-status.js';
import { lineOf, StartError } from './start-errors.js';
import { complain } from './journal.js';
import { type Readiness, turnOfTheEventLoop } from './readiness.js';

/** A program that serves clients once it has started. */
export interface ServingProgram {
  /** What a bug ends, in the log. */
  readonly name: string;
  readonly log: Logger;
  readonly readiness: Readiness;
  /** Whether stderr is systemd's journal. */
  readonly journal: boolean;
  /** Does everything that can keep it from serving. Throws a StartError. */
  readonly start: () => Serving | Promise<Serving>;
}

/** A program that has started. */
export interface Serving {
  /** Looks at the first client: not before everybody was told that the program is ready. */
  readonly begin: () => void;
  /** A signal asks it to end. */
  readonly stop: (signal: NodeJS.Signals) => void;
}

/**
 * Runs a serving program, from its start to the first look at a client: tells whoever waits how the start went, and ends
 * the process with an exit status of ours, whatever ends it.
 */
export async function runServing({ name, log, readiness, journal, start }: ServingProgram): Promise<void> {
  process.on('uncaughtException', (error) => {
    readiness.fail(new StartError('bug', `a bug: ${error.message}`));
    log.fatal({ err: error }, `a bug ends the ${name}`);
    exitNow(ExitStatus.FAILURE);
  });
  let serving: Serving | undefined;
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // of one that has started only those who still wait are told
      readiness.fail(new StartError('stopped', `stopped by ${signal}`));
      if (serving === undefined) exitNow(ExitStatus.OK);
      serving.stop(signal);
    });
  }
  try {
    serving = await start();
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    if (!readiness.fail(error)) complain('error', lineOf(error), journal);
    // at once: the event loop must not get to a client, which would be served without confinement
    exitNow(error.status);
  }
  await turnOfTheEventLoop();
  returnFreedMemory();
  readiness.tell();
  serving.begin();
}

/** Runs a program that becomes another one. @param tell is given the line that says why it does not */
export function runStarting(start: Promise<void>, tell: (line: string) => void): void {
  start.catch((error: unknown) => {
    if (!(error instanceof StartError)) throw error;
    tell(lineOf(error));
    process.exitCode = error.status;
  });
}
