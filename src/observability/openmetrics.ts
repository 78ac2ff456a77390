import { helperFamilies } from './helper-metrics.js';
import type { HelperStatus } from './helper-status.js';
import type { Families, Labels } from './metric-families.js';
import { serverFamilies } from './server-metrics.js';
import type { ServerStatus } from './server-status.js';

const HELPER = 'virtfs_proxy_helper_';
const SERVER = 'virtfs_9p_server_';

/** A process as the metrics name it. */
export interface Scraped<Status> {
  /** The path of --control. */
  readonly socket: string;
  /** undefined when it did not answer. */
  readonly status: Status | undefined;
}

/**
 * What several helpers and servers count, in the text format of OpenMetrics 1.0, which is also Prometheus' older one:
 * node_exporter reads it from files.
 */
export function openMetrics(
  helpers: readonly Scraped<HelperStatus>[],
  servers: readonly Scraped<ServerStatus>[] = [],
): string {
  const lines = [
    ...exposition(HELPER, helperFamilies, helpers, ({ export: directory }) => ({ export: directory })),
    ...(servers.length === 0
      ? []
      : exposition(SERVER, serverFamilies, servers, ({ transport }) => ({ transport }))),
  ];
  return `${[...lines, '# EOF'].join('\n')}\n`;
}

/** @param labels what a process that answers has besides its socket */
function exposition<Status>(
  prefix: string,
  families: Families<Status>,
  processes: readonly Scraped<Status>[],
  labels: (status: Status) => Labels,
): string[] {
  return Object.entries(families).flatMap(([name, { type, unit, help, samples }]) => [
    `# TYPE ${prefix}${name} ${type}`,
    ...(unit === undefined ? [] : [`# UNIT ${prefix}${name} ${unit}`]),
    `# HELP ${prefix}${name} ${help}`,
    ...processes.flatMap(({ socket, status }) =>
      samples(status).map(({ suffix = '', labels: own = {}, value }) => {
        const all = { socket, ...(status === undefined ? {} : labels(status)), ...own };
        return `${prefix}${name}${suffix}${labelText(all)} ${value}`;
      }),
    ),
  ]);
}

function labelText(labels: Labels): string {
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
    .join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}
