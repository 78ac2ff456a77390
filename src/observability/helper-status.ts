import { operationFigures, type Operations, totalFields, uptime } from './figures.js';
import type { DescriptorStatistics, Statistics } from './statistics.js';

/** The process at the other end of the client's socket, as the kernel saw it connect. */
export interface Client {
  readonly pid: number;
  readonly uid: number;
}

/** What a helper tells of itself: the answer on the control socket, as JSON. */
export interface HelperStatus {
  readonly pid: number;
  readonly export: string;
  readonly readOnly: boolean;
  /** Seconds since the helper was started. */
  readonly uptime: number;
  /** null until it has connected, and where the kernel knows nothing of it. */
  readonly client: Client | null;
  readonly descriptors: DescriptorStatistics;
  /** Lines of the log that nobody took: a full disk, a reader who does not read. */
  readonly logLinesLost: number;
  readonly operations: Operations;
}

/** Knows what a helper is and does. */
export class StatusSource {
  readonly #identity: Pick<HelperStatus, 'export' | 'readOnly'>;
  readonly #statistics: Statistics;
  readonly #log: { readonly lost: number };
  #client: Client | null = null;

  constructor(
    identity: Pick<HelperStatus, 'export' | 'readOnly'>,
    statistics: Statistics,
    log: { readonly lost: number },
  ) {
    this.#identity = identity;
    this.#statistics = statistics;
    this.#log = log;
  }

  connected(client: Client | undefined): void {
    this.#client = client === undefined ? null : { pid: client.pid, uid: client.uid };
  }

  status(): HelperStatus {
    return {
      pid: process.pid,
      ...this.#identity,
      uptime: uptime(),
      client: this.#client,
      descriptors: this.#statistics.descriptors,
      logLinesLost: this.#log.lost,
      operations: this.#statistics.byOperation(),
    };
  }
}

/** The status as fields of one line of the log. */
export function statusFields(status: HelperStatus): Readonly<Record<string, unknown>> {
  return {
    uptime: status.uptime,
    client: status.client?.pid,
    ...totalFields(status.operations),
    descriptorsPassed: status.descriptors.passed,
    operations: Object.fromEntries(operationFigures(status.operations)),
  };
}
