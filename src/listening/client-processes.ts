import { spawn, type ChildProcess } from 'node:child_process';
import { close } from '../syscalls/files.js';

/** At most so many clients at once ... */
const MOST_CLIENTS = 64;
/** ... and at most so many started ... */
const STARTS = 10;
/** ... within this time; a client that comes back again and again waits: milliseconds. */
const PERIOD_MS = 10_000;
/** Where a client's process finds its socket. */
const CLIENT_DESCRIPTOR = 3;

/** How the process of a client ended. */
export type ClientEnd = (client: number, status: number | null, signal: NodeJS.Signals | null) => void;

/** The processes of a listener's clients, one for each. Nothing is read from a client here. */
export class ClientProcesses {
  readonly #command: (client: number, descriptor: number) => readonly string[];
  readonly #ended: ClientEnd;
  readonly #running = new Map<number, ChildProcess>();
  /** Sockets whose processes are to be started when it is time. */
  readonly #waiting: number[] = [];
  /** When the last processes were started, the oldest first. */
  readonly #starts: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #count = 0;

  /**
   * @param command the arguments of Node for a client and the descriptor of its socket
   * @param ended is told of every process that ended
   */
  constructor(command: (client: number, descriptor: number) => readonly string[], ended: ClientEnd) {
    this.#command = command;
    this.#ended = ended;
  }

  /** Clients that are served now. */
  get running(): number {
    return this.#running.size;
  }

  /** Clients so far. */
  get count(): number {
    return this.#count;
  }

  /** Starts a process for a connected socket, which is closed here. @returns false when there are too many */
  take(descriptor: number): boolean {
    if (this.#running.size + this.#waiting.length >= MOST_CLIENTS) {
      close(descriptor);
      return false;
    }
    this.#waiting.push(descriptor);
    this.#startWaiting();
    return true;
  }

  /** Passes a signal on to every one. */
  signal(signal: NodeJS.Signals): void {
    for (const child of this.#running.values()) child.kill(signal);
  }

  /** Sends those away who have no process yet. */
  dropWaiting(): void {
    clearTimeout(this.#timer);
    for (const descriptor of this.#waiting.splice(0)) close(descriptor);
  }

  #startWaiting(): void {
    this.#timer = undefined;
    while (this.#waiting.length > 0) {
      const now = performance.now();
      const oldest = this.#starts.length < STARTS ? undefined : this.#starts[0];
      const pause = oldest === undefined ? 0 : oldest + PERIOD_MS - now;
      if (pause > 0) {
        this.#timer ??= setTimeout(() => {
          this.#startWaiting();
        }, pause);
        return;
      }
      if (oldest !== undefined) this.#starts.shift();
      this.#starts.push(now);
      this.#start(this.#waiting.shift() ?? -1);
    }
  }

  #start(descriptor: number): void {
    const client = ++this.#count;
    const child = spawn(process.execPath, this.#command(client, CLIENT_DESCRIPTOR), {
      stdio: ['ignore', 'inherit', 'inherit', descriptor],
    });
    close(descriptor);
    this.#running.set(client, child);
    const gone = (status: number | null, signal: NodeJS.Signals | null): void => {
      if (this.#running.delete(client)) this.#ended(client, status, signal);
    };
    child.once('exit', gone);
    // it could not even be started
    child.once('error', () => {
      gone(null, null);
    });
  }
}
