import { operationFigures, type Operations, total } from './figures.js';
import type { Client, HelperStatus } from './helper-status.js';
import type { ServerStatus } from './server-status.js';

const columns = [16, 12, 10, 10, 10, 10] as const;

function row(first: string, ...rest: readonly (string | number)[]): string {
  return (
    first.padEnd(columns[0]) +
    rest.map((cell, index) => String(cell).padStart(columns[index + 1] ?? 0)).join('')
  );
}

/** @param kind what the operations are called */
function table(kind: string, operations: Operations): string {
  const rows = operationFigures(operations).map(([name, { requests, errors, p50, p90, p99 }]) =>
    row(name, requests, errors, p50, p90, p99),
  );
  return `${row(kind, 'requests', 'errors', 'p50', 'p90', 'p99')}    (latency in microseconds)
${[...rows, row('all', total(operations, 'requests'), total(operations, 'errors'))].join('\n')}
`;
}

function bytes(operations: Operations): string {
  return `${total(operations, 'bytesReceived')} received, ${total(operations, 'bytesSent')} sent`;
}

const processText = ({ pid, uid }: Client): string => `pid ${pid} (uid ${uid})`;

/** What a helper counts, for people. `socket` may hold anything but is shown without control characters. */
export function statusText(socket: string, status: HelperStatus): string {
  const { client, descriptors, logLinesLost, operations } = status;
  const served = client === null ? 'waits for its client' : `serves ${processText(client)}`;
  return `${printable(socket)}: pid ${status.pid} ${served}, up ${duration(status.uptime)}
export: ${printable(status.export)}${status.readOnly ? ' (read-only)' : ''}
bytes: ${bytes(operations)}
descriptors: ${descriptors.passed} passed, ${descriptors.held} not taken yet
log: ${logLinesLost} lines lost

${table('operation', operations)}`;
}

/** The same of a 9P server. */
export function serverStatusText(socket: string, status: ServerStatus): string {
  const { client, connected, transport, dialect, msize, fileBytes, helper, messages } = status;
  const who = client === null ? `a client over ${transport}` : `${processText(client)} over ${transport}`;
  const served = connected ? `serves ${who}` : `waits for a client over ${transport}`;
  const agreed = dialect === null ? 'none agreed' : `${printable(dialect)}, messages of ${msize} bytes`;
  return `${printable(socket)}: 9P server, pid ${status.pid} ${served}, up ${duration(status.uptime)}
dialect: ${agreed}
open: ${status.fids} fids, ${status.openFiles} files, ${status.descriptors} descriptors, ${status.locks} locks
bytes: ${bytes(messages)}; of files ${fileBytes.read} read, ${fileBytes.written} written
helper: ${helper.requests} requests in ${helper.trips} trips, replaced ${helper.replacements} times
log: ${status.logLinesLost} lines lost

${table('message', messages)}`;
}

/** What a terminal would obey, or what changes the order in which it shows the rest. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}]/gu;

/** Names of files may hold what a terminal would obey. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, '?');
}

/** A value as JSON on one line, which says the same without such characters. */
export function printableJson(value: object): string {
  return JSON.stringify(value).replace(UNPRINTABLE, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

function duration(seconds: number): string {
  const days = Math.trunc(seconds / 86_400);
  const time = new Date(1000 * (seconds % 86_400)).toISOString().slice(11, 19);
  return days > 0 ? `${days} d ${time}` : time;
}
