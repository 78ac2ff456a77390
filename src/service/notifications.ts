import * as errno from '../abi/errno.js';
import { describeErrno } from '../abi/errno-text.js';
import { cString } from '../syscalls/memory.js';
import { write } from '../syscalls/process.js';
import { datagramSocketTo, send, setSendTimeout } from '../syscalls/sockets.js';

/** A way to the service manager: sd_notify(3). Made before the root is changed, since its path means nothing then. */
export interface NotifyChannel {
  /** A connected datagram socket. */
  readonly socket: number;
  /** How often the manager wants to hear from us, milliseconds; undefined when it does not watch. */
  readonly watchdogInterval: number | undefined;
}

/** A new status at most this often, and never while nothing happens: milliseconds. */
const STATUS_MS = 5_000;
/** How often a manager that does not read is told again that the service is ready: milliseconds. */
const RETRY_MS = 100;
/** How long one that does not read is waited for where nothing can be told again: milliseconds. */
const PATIENCE_MS = 1_000;

/**
 * Connects to NOTIFY_SOCKET. The watchdog counts only when it is meant for this process (WATCHDOG_PID).
 *
 * @param warn is told why the manager cannot be reached; the helper serves without it
 * @returns undefined when nobody wants to be notified
 */
export function notifyChannel(
  environment: NodeJS.ProcessEnv,
  pid: number,
  warn: (reason: string) => void,
): NotifyChannel | undefined {
  const { NOTIFY_SOCKET: address = '', WATCHDOG_USEC = '', WATCHDOG_PID = String(pid) } = environment;
  if (address === '') return undefined;
  const socket = datagramSocketTo(address);
  if (socket < 0) {
    warn(`cannot reach the service manager at NOTIFY_SOCKET=${address}: ${describeErrno(socket)}`);
    return undefined;
  }
  // half of the time allowed, as sd_watchdog_enabled(3) asks for
  const half = Math.trunc(Number(WATCHDOG_USEC) / 2000);
  const watched = WATCHDOG_PID === String(pid) && half > 0 && half < 2 ** 31;
  return { socket, watchdogInterval: watched ? half : undefined };
}

/** Tells the service manager how it goes. Does nothing where there is none. */
export class Notifier {
  readonly #channel: NotifyChannel | undefined;
  #statusTimer: NodeJS.Timeout | undefined;
  /** What was told last. */
  #status: string | undefined;

  constructor(channel: NotifyChannel | undefined) {
    this.#channel = channel;
  }

  /** Whether anybody hears it. */
  get connected(): boolean {
    return this.#channel !== undefined;
  }

  /** The helper takes clients from now on. A watchdog is fed from the event loop, so that a loop that hangs misses it. */
  ready(): void {
    if (this.#channel === undefined) return;
    const { socket, watchdogInterval } = this.#channel;
    this.#sendReady();
    if (watchdogInterval === undefined) return;
    const alive = cString('WATCHDOG=1');
    setInterval(() => {
      send(socket, alive, alive.length - 1);
    }, watchdogInterval).unref();
  }

  status(text: string): void {
    clearTimeout(this.#statusTimer);
    this.#statusTimer = undefined;
    if (text === this.#status) return;
    // one that does not read is told again
    this.#status = this.#send(`STATUS=${oneLine(text)}`) < 0 ? undefined : text;
  }

  /** Tells the status in a while, however often it is called until then: an idle helper has no timer. */
  statusSoon(text: () => string): void {
    this.#statusTimer ??= setTimeout(() => {
      this.status(text());
    }, STATUS_MS).unref();
  }

  /** The process that started the service goes; this one stays. Waits for a while for a manager that does not read. */
  mainProcess(pid: number): void {
    if (this.#channel === undefined) return;
    const { socket } = this.#channel;
    const message = cString(`MAINPID=${pid}`);
    setSendTimeout(socket, PATIENCE_MS);
    write(socket, message, message.length - 1);
  }

  stopping(): void {
    this.#send('STOPPING=1');
  }

  /** A lost one would have the start time out, so it is told until it is taken; clients are served meanwhile. */
  #sendReady(): void {
    if (this.#send('READY=1') !== -errno.EAGAIN) return;
    setTimeout(() => {
      this.#sendReady();
    }, RETRY_MS).unref();
  }

  /** @returns a negative number when it is lost; -EAGAIN: the manager does not read */
  #send(message: string): number {
    if (this.#channel === undefined) return 0;
    const bytes = cString(message);
    return send(this.#channel.socket, bytes, bytes.length - 1);
  }
}

/** A line break in a path would begin another assignment, and what is not UTF-8 is not taken. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}]/gu, '?');
}
