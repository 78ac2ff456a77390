import type { LatencySummary } from './latencies.js';
import type { DescriptorStatistics, OperationStatistics, Statistics } from './statistics.js';

/** The process at the other end of the client's socket, as the kernel saw it connect. */
export interface Client {
  readonly pid: number;
  readonly uid: number;
}

/**
 * Variables in the environment of a serving and of a listening program, for `status` to find: only root can read them. The
 * first is the path of the control socket, the second is what a listener's clients are served.
 */
export const CONTROL_VARIABLE = 'VIRTFS_PROXY_HELPER_CONTROL';
export const LISTENER_VARIABLE = 'VIRTFS_PROXY_HELPER_LISTENER';

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
  readonly operations: Readonly<Record<string, OperationStatistics>>;
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
      uptime: Math.round(1000 * process.uptime()) / 1000,
      client: this.#client,
      descriptors: this.#statistics.descriptors,
      logLinesLost: this.#log.lost,
      operations: this.#statistics.byOperation(),
    };
  }
}

/** One number of all operations together. */
export function total(
  { operations }: HelperStatus,
  number: 'requests' | 'errors' | 'bytesReceived' | 'bytesSent',
): number {
  return Object.values(operations).reduce((sum, operation) => sum + operation[number], 0);
}

/** What people are shown of an operation; latencies in microseconds. */
export type OperationFigures = Pick<OperationStatistics, 'requests' | 'errors'> &
  Pick<LatencySummary, 'p50' | 'p90' | 'p99'>;

/** The operations that were asked for, by name. */
export function operationFigures({ operations }: HelperStatus): (readonly [string, OperationFigures])[] {
  return Object.entries(operations)
    .filter(([, { requests }]) => requests > 0)
    .map(([name, { requests, errors, latency }]) => {
      const { p50, p90, p99 } = latency;
      return [name, { requests, errors, p50, p90, p99 }];
    });
}

/** The status as fields of one line of the log. */
export function statusFields(status: HelperStatus): Readonly<Record<string, unknown>> {
  return {
    uptime: status.uptime,
    client: status.client?.pid,
    requests: total(status, 'requests'),
    errors: total(status, 'errors'),
    bytesReceived: total(status, 'bytesReceived'),
    bytesSent: total(status, 'bytesSent'),
    descriptorsPassed: status.descriptors.passed,
    operations: Object.fromEntries(operationFigures(status)),
  };
}
