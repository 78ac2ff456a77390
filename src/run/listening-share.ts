import type { Readable } from 'node:stream';
import { reportFrom } from '../startup/early-end.js';
import { READY } from '../startup/report.js';
import { failedStart, startProgram } from './program-process.js';
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
  const { child, ended } = await startProgram(argv, {
    stdio: ['ignore', 'ignore', stderr, 'pipe', ...(passed === undefined ? [] : [Number(passed)])],
    // it is not for this child to tell a service manager how this program fares: sd_notify(3)
    env: { ...process.env, NOTIFY_SOCKET: undefined },
  });
  const report = await reportFrom(child.stdio[REPORT] as Readable);
  if (report === READY) {
    const stop = (): Promise<HelperEnd> => {
      child.kill('SIGTERM');
      return ended;
    };
    return { pid: child.pid ?? 0, ended, stop };
  }
  throw failedStart('the share', report, await ended);
}
