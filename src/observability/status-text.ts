import { type HelperStatus, operationFigures, total } from './helper-status.js';

const columns = [16, 12, 10, 10, 10, 10] as const;

function row(first: string, ...rest: readonly (string | number)[]): string {
  return (
    first.padEnd(columns[0]) +
    rest.map((cell, index) => String(cell).padStart(columns[index + 1] ?? 0)).join('')
  );
}

/** What a helper counts, for people. `socket` may hold anything but is shown without control characters. */
export function statusText(socket: string, status: HelperStatus): string {
  const { client, descriptors, logLinesLost } = status;
  const served = client === null ? 'waits for its client' : `serves pid ${client.pid} (uid ${client.uid})`;
  const operations = operationFigures(status).map(([name, { requests, errors, p50, p90, p99 }]) =>
    row(name, requests, errors, p50, p90, p99),
  );
  return `${printable(socket)}: pid ${status.pid} ${served}, up ${duration(status.uptime)}
export: ${printable(status.export)}${status.readOnly ? ' (read-only)' : ''}
bytes: ${total(status, 'bytesReceived')} received, ${total(status, 'bytesSent')} sent
descriptors: ${descriptors.passed} passed, ${descriptors.held} not taken yet
log: ${logLinesLost} lines lost

${row('operation', 'requests', 'errors', 'p50', 'p90', 'p99')}    (latency in microseconds)
${[...operations, row('all', total(status, 'requests'), total(status, 'errors'))].join('\n')}
`;
}

/** Names of files may hold what a terminal would obey. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '?');
}

function duration(seconds: number): string {
  const days = Math.trunc(seconds / 86_400);
  const time = new Date(1000 * (seconds % 86_400)).toISOString().slice(11, 19);
  return days > 0 ? `${days} d ${time}` : time;
}
