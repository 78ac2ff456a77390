import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { reportFrom } from '../startup/early-end.js';
import { READY } from '../startup/report.js';
import { controlPlace } from '../startup/control-socket.js';
import type { Place } from '../startup/place.js';
import { openSocketPair } from '../startup/socket-pair.js';
import { close, unlinkat } from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import { shutdown } from '../syscalls/sockets.js';
import { failedStart, startProgram } from './program-process.js';

/** How a helper ended: with a status (see `ExitStatus`), or by a signal. */
export interface HelperEnd {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Where a helper finds its descriptors. */
const CLIENT = 3;
const REPORT = 4;

/**
 * A directory with the helper that serves it, a child of this process, and one end of the connection to it.
 *
 * The helper's own end stays open here, too: shutting it down ends the helper and needs no rights over it.
 */
export class Share {
  /** What the emulator shall inherit. Closed on exec, so it goes to no child by itself. */
  readonly descriptor: number;
  readonly child: ChildProcess;
  /** Settles when the helper has ended; never rejects. */
  readonly ended: Promise<HelperEnd>;
  readonly #helperSide: number;
  #held = true;
  #running = true;

  constructor(descriptor: number, helperSide: number, child: ChildProcess, ended: Promise<HelperEnd>) {
    this.descriptor = descriptor;
    this.child = child;
    this.#helperSide = helperSide;
    this.ended = ended.then((end) => {
      this.#running = false;
      // the last descriptor of that side: what waits for an answer sees the end of the connection
      close(helperSide);
      return end;
    });
  }

  /**
   * Closes our copy of the descriptor. To be called when the emulator has its own, so that the helper ends when the
   * emulator does.
   */
  release(): void {
    if (this.#held) close(this.descriptor);
    this.#held = false;
  }

  /** Sends a signal, unless the helper has ended. */
  signal(signal: NodeJS.Signals): void {
    if (this.#running) this.child.kill(signal);
  }

  /** Ends the helper after the request that it is at; the emulator gets errors from then on. */
  stop(): Promise<HelperEnd> {
    this.release();
    if (this.#running) shutdown(this.#helperSide);
    return this.ended;
  }
}

/**
 * Starts a helper and waits until it serves.
 *
 * @param program the starting program, `main.js`
 * @param options of the command line: what is shared, and how
 * @param stderr where the helper logs, as for `spawn`
 * @param abandoned kills the helper if it is not ready yet
 * @throws a StartError with the reason of the helper, when it does not start
 */
export async function startShare(
  program: string,
  options: readonly string[],
  stderr: 'inherit' | 'ignore' | number,
  abandoned?: AbortSignal,
): Promise<Share> {
  const control = controlOf(options);
  const pair = openSocketPair();
  const [emulatorSide, helperSide] = pair;
  const argv = [program, ...options, '--nodaemon', `--fd=${CLIENT}`, `--ready-fd=${REPORT}`];
  const { child, ended } = await startProgram(argv, {
    stdio: ['ignore', 'ignore', stderr, helperSide, 'pipe'],
    // it is not for the helper to tell a service manager how this program fares: sd_notify(3)
    env: { ...process.env, NOTIFY_SOCKET: undefined },
  }).catch((error: unknown) => {
    for (const descriptor of pair) close(descriptor);
    if (control !== undefined) close(control.directory);
    throw error;
  });
  const share = new Share(emulatorSide, helperSide, child, ended);
  const kill = (): void => void child.kill('SIGKILL');
  if (abandoned?.aborted === true) kill();
  abandoned?.addEventListener('abort', kill);
  const report = await reportFrom(child.stdio[REPORT] as Readable);
  abandoned?.removeEventListener('abort', kill);
  if (control !== undefined)
    void ended.then(() => {
      // one that did not start may have found that of another helper
      if (report === READY) unlinkat(control.directory, cString(control.name), 0);
      close(control.directory);
    });
  if (report === READY) return share;
  throw failedStart('the helper', report, await share.stop());
}

const CONTROL = '--control=';

/** Where a helper makes its control socket, which it cannot remove when it ends. Throws a StartError. */
function controlOf(options: readonly string[]): Place | undefined {
  const word = options.find((option) => option.startsWith(CONTROL));
  return word === undefined ? undefined : controlPlace(word.slice(CONTROL.length));
}
