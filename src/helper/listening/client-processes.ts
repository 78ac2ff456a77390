import { parseLine, type StartError } from '../../startup/start-errors.js';
import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { earlyEnd, KeptOutput, reportFrom } from '../../startup/early-end.js';
import { READY } from '../../startup/report.js';
import type { ProcessEnd } from '../../syscalls/process.js';
import { hasHungUp } from '../../syscalls/sockets.js';
import { closeStranger } from '../../syscalls/stranger.js';

/** At most so many clients at once ... */
const MOST_CLIENTS = 256;
/** ... and so many of one user ... */
const MOST_OF_ONE = 64;
/** ... of whom at most so many are started ... */
const STARTS = 10;
/** ... within this time; one who comes back again and again keeps none but himself waiting: milliseconds. */
const PERIOD_MS = 10_000;

/** Where a client's process finds its descriptors. */
export interface ClientDescriptors {
  readonly socket: number;
  /** Tells when the client is served, or why not. */
  readonly report: number;
}
const descriptors: ClientDescriptors = { socket: 3, report: 4 };

/** Why a client was never served. */
export type Unserved = Pick<StartError, 'code' | 'message'>;

/** How the process of a client ended. */
export type ClientEnd = (client: number, end: ProcessEnd, unserved: Unserved | undefined) => void;

/** The arguments of Node for a client. */
export type ClientCommand = (client: number, descriptors: ClientDescriptors) => readonly string[];

/** A client that has connected. */
interface Client {
  readonly descriptor: number;
  readonly uid: number;
}

/** The processes of a listener's clients, one for each. Nothing is read from a client here. */
export class ClientProcesses {
  readonly #command: ClientCommand;
  readonly #background: boolean;
  readonly #ended: ClientEnd;
  readonly #running = new Map<number, { readonly child: ChildProcess; readonly uid: number }>();
  /** Those whose processes are to be started when it is time. */
  #waiting: Client[] = [];
  /** When the last processes of each user were started, the oldest first. */
  readonly #starts = new Map<number, number[]>();
  #timer: NodeJS.Timeout | undefined;
  #count = 0;

  /**
   * @param background whether nobody reads our stderr
   * @param ended is told of every process that ended
   */
  constructor(command: ClientCommand, background: boolean, ended: ClientEnd) {
    this.#command = command;
    this.#background = background;
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
  take(descriptor: number, uid: number): boolean {
    this.#sendGoneAway();
    const clients = [...this.#running.values(), ...this.#waiting];
    if (clients.length >= MOST_CLIENTS || clients.filter((one) => one.uid === uid).length >= MOST_OF_ONE) {
      closeStranger(descriptor);
      return false;
    }
    this.#waiting.push({ descriptor, uid });
    this.#startWaiting();
    return true;
  }

  /** Passes a signal on to every one. */
  signal(signal: NodeJS.Signals): void {
    for (const { child } of this.#running.values()) child.kill(signal);
  }

  /** Sends those away who have no process yet. */
  dropWaiting(): void {
    clearTimeout(this.#timer);
    for (const { descriptor } of this.#waiting.splice(0)) closeStranger(descriptor);
  }

  /** Those who no longer wait for an answer get no process, and take nobody's place. */
  #sendGoneAway(): void {
    const gone = this.#waiting.filter(({ descriptor }) => hasHungUp(descriptor));
    this.#waiting = this.#waiting.filter((client) => !gone.includes(client));
    for (const { descriptor } of gone) closeStranger(descriptor);
  }

  #startWaiting(): void {
    clearTimeout(this.#timer);
    this.#sendGoneAway();
    const now = performance.now();
    const pauses: number[] = [];
    this.#waiting = this.#waiting.filter((client) => {
      const pause = this.#pauseOf(client.uid, now);
      if (pause > 0) pauses.push(pause);
      else this.#start(client, now);
      return pause > 0;
    });
    if (pauses.length === 0) return;
    this.#timer = setTimeout(
      () => {
        this.#startWaiting();
      },
      Math.min(...pauses),
    );
  }

  /** How long the next process of a user has to wait. */
  #pauseOf(uid: number, now: number): number {
    const starts = (this.#starts.get(uid) ?? []).filter((time) => time > now - PERIOD_MS);
    if (starts.length > 0) this.#starts.set(uid, starts);
    else this.#starts.delete(uid);
    const [oldest = now] = starts;
    return starts.length < STARTS ? 0 : oldest + PERIOD_MS - now;
  }

  #start({ descriptor, uid }: Client, now: number): void {
    this.#starts.set(uid, [...(this.#starts.get(uid) ?? []), now]);
    const client = ++this.#count;
    const output = this.#background ? new KeptOutput() : undefined;
    const child = spawn(process.execPath, this.#command(client, descriptors), {
      stdio: ['ignore', 'inherit', output?.descriptor ?? 'inherit', descriptor, 'pipe'],
    });
    // the last one, when the process could not be started or has ended already
    closeStranger(descriptor);
    this.#running.set(client, { child, uid });
    // without descriptors for it there are no pipes, whatever the types say
    const { stdio } = child as Partial<ChildProcess>;
    const served = reportFrom(stdio?.[descriptors.report] as Readable | undefined).then((report) => {
      if (report !== '') output?.close();
      return report;
    });
    child.once('exit', (status, signal) => {
      const end = { status, signal };
      void served.then((report) => {
        const why = report === '' ? earlyEnd('its process', end, output?.take()) : parseLine(report);
        this.#gone(client, end, report === READY ? undefined : why);
      });
    });
    child.once('error', ({ message }) => {
      output?.close();
      this.#gone(
        client,
        { status: null, signal: null },
        { code: 'program-not-started', message: `cannot start ${process.execPath}: ${message}` },
      );
    });
  }

  #gone(client: number, end: ProcessEnd, unserved: Unserved | undefined): void {
    if (this.#running.delete(client)) this.#ended(client, end, unserved);
  }
}
