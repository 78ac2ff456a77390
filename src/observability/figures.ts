import type { LatencySummary } from './latencies.js';
import type { OperationStatistics } from './statistics.js';

/** What is known of all kinds of requests, by their names. */
export type Operations = Readonly<Record<string, OperationStatistics>>;

/** One number of all kinds together. */
export function total(
  operations: Operations,
  number: 'requests' | 'errors' | 'bytesReceived' | 'bytesSent',
): number {
  return Object.values(operations).reduce((sum, operation) => sum + operation[number], 0);
}

/** What people are shown of one kind; latencies in microseconds. */
export type OperationFigures = Pick<OperationStatistics, 'requests' | 'errors'> &
  Pick<LatencySummary, 'p50' | 'p90' | 'p99'>;

/** The kinds that were asked for, by name. */
export function operationFigures(operations: Operations): (readonly [string, OperationFigures])[] {
  return Object.entries(operations)
    .filter(([, { requests }]) => requests > 0)
    .map(([name, { requests, errors, latency }]) => {
      const { p50, p90, p99 } = latency;
      return [name, { requests, errors, p50, p90, p99 }];
    });
}

/** The same of all kinds as fields of one line of the log. */
export function totalFields(operations: Operations): Readonly<Record<string, number>> {
  return {
    requests: total(operations, 'requests'),
    errors: total(operations, 'errors'),
    bytesReceived: total(operations, 'bytesReceived'),
    bytesSent: total(operations, 'bytesSent'),
  };
}

/** Seconds since this process was started. */
export function uptime(): number {
  return Math.round(1000 * process.uptime()) / 1000;
}
