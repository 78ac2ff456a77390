import type { Operations } from './figures.js';
import { type LatencySummary, shownLimits } from './latencies.js';
import type { OperationStatistics } from './statistics.js';

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  /** What follows the family's name. */
  readonly suffix?: string;
  readonly labels?: Labels;
  readonly value: number;
}

export interface Family<Status> {
  readonly type: 'gauge' | 'counter' | 'histogram';
  /** The last part of the name when it is one. */
  readonly unit?: 'seconds' | 'bytes';
  readonly help: string;
  /** @param status undefined for a process that did not answer */
  readonly samples: (status: Status | undefined) => readonly Sample[];
}

export type Families<Status> = Readonly<Record<string, Family<Status>>>;

const MICROSECONDS = 1e6;

export function gauge<Status>(value: (status: Status) => number): Family<Status>['samples'] {
  return (status) => (status === undefined ? [] : [{ value: value(status) }]);
}

export function counter<Status>(value: (status: Status) => number): Family<Status>['samples'] {
  return (status) => (status === undefined ? [] : [{ suffix: '_total', value: value(status) }]);
}

function histogram({ below, count, sum }: LatencySummary, labels: Labels): readonly Sample[] {
  const bucket = (le: string, value: number): Sample => ({
    suffix: '_bucket',
    labels: { ...labels, le },
    value,
  });
  return [
    ...shownLimits.map((limit, index) => bucket(String(limit / MICROSECONDS), below[index] ?? 0)),
    bucket('+Inf', count),
    { suffix: '_count', labels, value: count },
    { suffix: '_sum', labels, value: sum / MICROSECONDS },
  ];
}

export const up = (status: unknown): readonly Sample[] => [{ value: status === undefined ? 0 : 1 }];

/** What is counted for each kind of request. */
export interface ByKind<Status> {
  /** The label. */
  readonly kind: string;
  readonly operations: (status: Status) => Operations;
}

export function counterByKind<Status>(
  { kind, operations }: ByKind<Status>,
  value: (operation: OperationStatistics) => number,
): Family<Status>['samples'] {
  return (status) =>
    Object.entries(status === undefined ? {} : operations(status)).map(([name, operation]) => ({
      suffix: '_total',
      labels: { [kind]: name },
      value: value(operation),
    }));
}

export function latencies<Status>({ kind, operations }: ByKind<Status>): Family<Status>['samples'] {
  return (status) =>
    Object.entries(status === undefined ? {} : operations(status)).flatMap(([name, { latency }]) =>
      histogram(latency, { [kind]: name }),
    );
}

/** What is told of each kind of request beside how many there were. @param help of each family */
export function errorsAndBytes<Status>(
  byKind: ByKind<Status>,
  help: { readonly errors: string; readonly received: string; readonly sent: string },
): Families<Status> {
  return {
    errors: { type: 'counter', help: help.errors, samples: counterByKind(byKind, ({ errors }) => errors) },
    received_bytes: {
      type: 'counter',
      unit: 'bytes',
      help: help.received,
      samples: counterByKind(byKind, ({ bytesReceived }) => bytesReceived),
    },
    sent_bytes: {
      type: 'counter',
      unit: 'bytes',
      help: help.sent,
      samples: counterByKind(byKind, ({ bytesSent }) => bytesSent),
    },
  };
}

export const logLinesLost: Family<{ readonly logLinesLost: number }> = {
  type: 'counter',
  help: 'Lines of the log that nobody took.',
  samples: counter((status) => status.logLinesLost),
};
