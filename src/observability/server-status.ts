import { operationFigures, type Operations, totalFields, uptime } from './figures.js';
import type { Client } from './helper-status.js';

/** What carries the messages of a client. */
export type Transport = 'unix' | 'tcp' | 'vsock' | 'vhost-user';

/** What a session has at a moment, and has done so far. */
export interface SessionFigures {
  /** What the client agreed to; null before it did. */
  readonly dialect: string | null;
  readonly msize: number | null;
  readonly fids: number;
  readonly openFiles: number;
  /** Those of open files that have not given theirs back, and those for locks. */
  readonly descriptors: number;
  /** Processes of the guest with locks, counted for each file. */
  readonly locks: number;
  /** Of regular files. */
  readonly fileBytes: { readonly read: number; readonly written: number };
  readonly helper: {
    readonly requests: number;
    /** Writes, of all requests that go together. */
    readonly trips: number;
    /** How many took the place of one that had ended. */
    readonly replacements: number;
  };
}

const NOTHING: SessionFigures = {
  dialect: null,
  msize: null,
  fids: 0,
  openFiles: 0,
  descriptors: 0,
  locks: 0,
  fileBytes: { read: 0, written: 0 },
  helper: { requests: 0, trips: 0, replacements: 0 },
};

/** What a 9P server tells of itself: the answer on its control socket, as JSON. */
export interface ServerStatus extends SessionFigures {
  readonly pid: number;
  /** Seconds since the server was started. */
  readonly uptime: number;
  readonly transport: Transport;
  readonly connected: boolean;
  /** null until it has connected, and where the kernel knows no process: over TCP and vsock. */
  readonly client: Client | null;
  /** Lines of the log that nobody took. */
  readonly logLinesLost: number;
  readonly messages: Operations;
}

/** Knows what a 9P server is and does. */
export class ServerStatusSource {
  readonly #transport: Transport;
  readonly #statistics: { byOperation(): Operations };
  readonly #log: { readonly lost: number };
  #client: Client | null = null;
  #figures: (() => SessionFigures) | undefined;

  constructor(
    transport: Transport,
    statistics: { byOperation(): Operations },
    log: { readonly lost: number },
  ) {
    this.#transport = transport;
    this.#statistics = statistics;
    this.#log = log;
  }

  connected(client: Client | undefined, figures: () => SessionFigures): void {
    this.#client = client === undefined ? null : { pid: client.pid, uid: client.uid };
    this.#figures = figures;
  }

  status(): ServerStatus {
    return {
      pid: process.pid,
      uptime: uptime(),
      transport: this.#transport,
      connected: this.#figures !== undefined,
      client: this.#client,
      ...(this.#figures?.() ?? NOTHING),
      logLinesLost: this.#log.lost,
      messages: this.#statistics.byOperation(),
    };
  }
}

/** The status as fields of one line of the log. */
export function serverStatusFields(status: ServerStatus): Readonly<Record<string, unknown>> {
  const { client, dialect, fids, openFiles, descriptors, locks, fileBytes, helper, messages } = status;
  return {
    uptime: status.uptime,
    peer: client?.pid,
    dialect: dialect ?? undefined,
    ...totalFields(messages),
    ...{ fids, openFiles, descriptors, locks },
    bytesRead: fileBytes.read,
    bytesWritten: fileBytes.written,
    helperRequests: helper.requests,
    helperTrips: helper.trips,
    helperReplacements: helper.replacements,
    messages: Object.fromEntries(operationFigures(messages)),
  };
}
