import { type ClientLimits, ClientQueue, type QueuedClient } from '../../accepting/client-queue.js';
import { parseLine, type StartError } from '../../startup/start-errors.js';
import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { earlyEnd, KeptOutput, reportFrom } from '../../startup/early-end.js';
import { READY } from '../../startup/report.js';
import type { ProcessEnd } from '../../syscalls/process.js';
import { closeStranger } from '../../syscalls/stranger.js';

/** Of all users, and of one. */
const limits: ClientLimits = { clients: 256, ofOne: 64 };

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

/** The processes of a listener's clients, one for each. Nothing is read from a client here. */
export class ClientProcesses {
  readonly #command: ClientCommand;
  readonly #background: boolean;
  readonly #ended: ClientEnd;
  readonly #queue = new ClientQueue(limits, (client) => {
    this.#start(client);
  });
  readonly #running = new Map<number, ChildProcess>();
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
    return this.#queue.take({ descriptor, peer: String(uid) });
  }

  /** Passes a signal on to every one. */
  signal(signal: NodeJS.Signals): void {
    for (const child of this.#running.values()) child.kill(signal);
  }

  /** Sends those away who have no process yet. */
  dropWaiting(): void {
    this.#queue.close();
  }

  #start(queued: QueuedClient): void {
    const { descriptor } = queued;
    const client = ++this.#count;
    const output = this.#background ? new KeptOutput() : undefined;
    const child = spawn(process.execPath, this.#command(client, descriptors), {
      stdio: ['ignore', 'inherit', output?.descriptor ?? 'inherit', descriptor, 'pipe'],
    });
    // the last one, when the process could not be started or has ended already
    closeStranger(descriptor);
    this.#running.set(client, child);
    const gone = (end: ProcessEnd, unserved: Unserved | undefined): void => {
      if (!this.#running.delete(client)) return;
      this.#queue.left(queued);
      this.#ended(client, end, unserved);
    };
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
        gone(end, report === READY ? undefined : why);
      });
    });
    child.once('error', ({ message }) => {
      output?.close();
      gone(
        { status: null, signal: null },
        { code: 'program-not-started', message: `cannot start ${process.execPath}: ${message}` },
      );
    });
  }
}
