import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { ExitStatus, StartError } from '../startup/exit-status.js';
import { earlyEnd, reportFrom } from '../startup/early-end.js';
import { READY } from '../startup/report.js';
import type { HelperEnd } from './share.js';

/** Where `share` finds its descriptors. */
const REPORT = 3;
const SOCKET = 4;

/** A directory that guests reach by a socket, and the process that shares it, a child of this one. */
export interface ListeningShare {
  readonly pid: number;
  /** Settles when it has ended: the guest has left, or something failed. Never rejects. */
  readonly ended: Promise<HelperEnd>;
  /** Ends it after what it is at; guests get errors from then on. */
  stop(): Promise<HelperEnd>;
}

/**
 * Starts `share` and waits until guests can come. Throws a StartError with its reason when it does not start.
 *
 * @param program the starting program, `main.js`
 * @param options of the command line, but for --listen
 * @param listen its value; of fd:N this program has the descriptor
 * @param stderr where it logs, as for `spawn`
 */
export async function startListeningShare(
  program: string,
  options: readonly string[],
  listen: string,
  stderr: 'inherit' | 'ignore' | number,
): Promise<ListeningShare> {
  const passed = /^fd:(\d+)$/.exec(listen)?.[1];
  const address = passed === undefined ? listen : `fd:${SOCKET}`;
  const argv = [program, 'share', ...options, `--listen=${address}`, `--ready-fd=${REPORT}`];
  const { child, ended } = await start(argv, {
    stdio: ['ignore', 'ignore', stderr, 'pipe', ...(passed === undefined ? [] : [Number(passed)])],
    // it is not for this child to tell a service manager how this program fares: sd_notify(3)
    env: { ...process.env, NOTIFY_SOCKET: undefined },
    // an interrupt from the terminal is for this program alone
    detached: true,
  });
  const report = await reportFrom(child.stdio[REPORT] as Readable);
  if (report === READY) {
    const stop = (): Promise<HelperEnd> => {
      child.kill('SIGTERM');
      return ended;
    };
    return { pid: child.pid ?? 0, ended, stop };
  }
  const end = await ended;
  const reason = report === '' ? earlyEnd('the share', end) : report;
  throw new StartError(reason, end.status ?? ExitStatus.FAILURE);
}

async function start(
  argv: readonly string[],
  options: SpawnOptions,
): Promise<{ child: ChildProcess; ended: Promise<HelperEnd> }> {
  try {
    // throws for a descriptor that is none
    const child = spawn(process.execPath, argv, options);
    const ended = new Promise<HelperEnd>((resolve) => {
      child.once('exit', (status, signal) => {
        resolve({ status, signal });
      });
    });
    await once(child, 'spawn');
    return { child, ended };
  } catch (error) {
    throw new StartError(`cannot start ${process.execPath}: ${(error as Error).message}`);
  }
}
