import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { earlyEnd } from '../startup/early-end.js';
import { ExitStatus } from '../startup/exit-status.js';
import { parseLine, StartError } from '../startup/start-errors.js';
import type { ProcessEnd } from '../syscalls/process.js';

/** A program of ours, a child of this process. */
export interface ProgramProcess {
  readonly child: ChildProcess;
  /** Settles when it has ended; never rejects. */
  readonly ended: Promise<ProcessEnd>;
}

/**
 * Starts a program with this Node. It has a session of its own, so that what is typed on the terminal (an interrupt, a
 * stop) is not for it. Throws a StartError.
 *
 * @param argv its file, and what follows
 */
export async function startProgram(argv: readonly string[], options: SpawnOptions): Promise<ProgramProcess> {
  try {
    // throws for a descriptor that is none
    const child = spawn(process.execPath, argv, { ...options, detached: true });
    const ended = new Promise<ProcessEnd>((resolve) => {
      child.once('exit', (status, signal) => {
        resolve({ status, signal });
      });
    });
    await once(child, 'spawn');
    return { child, ended };
  } catch (error) {
    throw new StartError(
      'program-not-started',
      `cannot start ${process.execPath}: ${(error as Error).message}`,
    );
  }
}

/**
 * Why a program did not start.
 *
 * @param title what it is called
 * @param report what it told, empty for nothing
 */
export function failedStart(title: string, report: string, end: ProcessEnd): StartError {
  const status = end.status === null || end.status === 0 ? ExitStatus.FAILURE : end.status;
  // what it wrote to stderr went where the caller wanted it
  const { code, message } = report === '' ? earlyEnd(title, end) : parseLine(report);
  return new StartError(code, message, status);
}
