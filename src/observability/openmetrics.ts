import { type HelperStatus, total } from './helper-status.js';
import { type LatencySummary, shownLimits } from './latencies.js';
import type { OperationStatistics } from './statistics.js';

type Labels = Readonly<Record<string, string>>;

interface Sample {
  /** What follows the family's name. */
  readonly suffix?: string;
  readonly labels?: Labels;
  readonly value: number;
}

interface Family {
  readonly type: 'gauge' | 'counter' | 'histogram';
  /** The last part of the name when it is one. */
  readonly unit?: 'seconds' | 'bytes';
  readonly help: string;
  /** @param status undefined for a helper that did not answer */
  readonly samples: (status: HelperStatus | undefined) => readonly Sample[];
}

const MICROSECONDS = 1e6;

function gauge(value: (status: HelperStatus) => number): Family['samples'] {
  return (status) => (status === undefined ? [] : [{ value: value(status) }]);
}

function byOperation(
  samples: (operation: OperationStatistics, labels: Labels) => readonly Sample[],
): Family['samples'] {
  return (status) =>
    Object.entries(status?.operations ?? {}).flatMap(([name, operation]) =>
      samples(operation, { operation: name }),
    );
}

function counter(value: (operation: OperationStatistics) => number): Family['samples'] {
  return byOperation((operation, labels) => [{ suffix: '_total', labels, value: value(operation) }]);
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

/** Every metric by its name without the prefix. */
const families: Readonly<Record<string, Family>> = {
  up: {
    type: 'gauge',
    help: 'Whether the helper answered on its control socket.',
    samples: (status) => [{ value: status === undefined ? 0 : 1 }],
  },
  uptime_seconds: {
    type: 'gauge',
    unit: 'seconds',
    help: 'Time since the helper was started.',
    samples: gauge(({ uptime }) => uptime),
  },
  client_connected: {
    type: 'gauge',
    help: 'Whether the client has connected.',
    samples: gauge((status) => (status.client === null && total(status, 'requests') === 0 ? 0 : 1)),
  },
  requests: {
    type: 'counter',
    help: 'Requests answered.',
    samples: counter(({ requests }) => requests),
  },
  errors: {
    type: 'counter',
    help: 'Requests answered with an error, which may be what the guest expects (ENOENT).',
    samples: counter(({ errors }) => errors),
  },
  received_bytes: {
    type: 'counter',
    unit: 'bytes',
    help: 'Size of the requests.',
    samples: counter(({ bytesReceived }) => bytesReceived),
  },
  sent_bytes: {
    type: 'counter',
    unit: 'bytes',
    help: 'Size of the replies.',
    samples: counter(({ bytesSent }) => bytesSent),
  },
  descriptors_passed: {
    type: 'counter',
    help: 'Open files passed to the client.',
    samples: (status) =>
      status === undefined ? [] : [{ suffix: '_total', value: status.descriptors.passed }],
  },
  descriptors_held: {
    type: 'gauge',
    help: 'Open files that the client has not taken yet.',
    samples: gauge(({ descriptors }) => descriptors.held),
  },
  log_lines_lost: {
    type: 'counter',
    help: 'Lines of the log that nobody took.',
    samples: (status) => (status === undefined ? [] : [{ suffix: '_total', value: status.logLinesLost }]),
  },
  request_duration_seconds: {
    type: 'histogram',
    unit: 'seconds',
    help: 'Time from the arrival of a request until its reply was sent.',
    samples: byOperation(({ latency }, labels) => histogram(latency, labels)),
  },
};

const PREFIX = 'virtfs_proxy_helper_';

/** A helper as the metrics name it. */
export interface Scraped {
  readonly socket: string;
  /** undefined when it did not answer. */
  readonly status: HelperStatus | undefined;
}

/**
 * What several helpers count, in the text format of OpenMetrics 1.0, which is also Prometheus' older one: node_exporter
 * reads it from files.
 */
export function openMetrics(helpers: readonly Scraped[]): string {
  const lines = Object.entries(families).flatMap(([name, { type, unit, help, samples }]) => [
    `# TYPE ${PREFIX}${name} ${type}`,
    ...(unit === undefined ? [] : [`# UNIT ${PREFIX}${name} ${unit}`]),
    `# HELP ${PREFIX}${name} ${help}`,
    ...helpers.flatMap(({ socket, status }) =>
      samples(status).map(({ suffix = '', labels = {}, value }) => {
        const all = { socket, ...(status === undefined ? {} : { export: status.export }), ...labels };
        return `${PREFIX}${name}${suffix}${labelText(all)} ${value}`;
      }),
    ),
  ]);
  return `${[...lines, '# EOF'].join('\n')}\n`;
}

function labelText(labels: Labels): string {
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
    .join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}
