import { setTimeout as pause } from 'node:timers/promises';
import { MAX_PATH_BYTES } from '../syscalls/sockets.js';
import type { Arguments } from '../cli/arguments.js';
import { print } from '../cli/output.js';
import { isUtf8 } from '../cli/path-bytes.js';
import { ExitStatus } from '../startup/exit-status.js';
import { usageError } from '../startup/start-errors.js';
import { pairControlPath } from '../observability/control-paths.js';
import { openMetrics } from '../observability/openmetrics.js';
import { printable, printableJson, serverStatusText, statusText } from '../observability/status-text.js';
import { isThere } from './ask.js';
import { askAbout, type Asked, type Asking } from './machines.js';
import { series } from './series.js';

const WATCH_MS = 1000;
/** Goes to a terminal's first line, clears the rest of a line, and what is below: console_codes(4). */
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

/** How the answers are shown. @returns the exit status */
type Show = (asking: Asking) => number;

function complain({ socket, answer }: Asked<object>): number {
  if (answer.status !== undefined) return ExitStatus.OK;
  process.stderr.write(`virtfs-proxy-helper: ${printable(socket)}: ${answer.reason}\n`);
  return ExitStatus.FAILURE;
}

function complainOfAll({ machines }: Asking): number {
  const asked = machines
    .flatMap(({ helper, server }) => [helper, server])
    .filter((half) => half !== undefined);
  return Math.max(ExitStatus.OK, ...asked.map(complain));
}

function textOf<Status extends object>(
  half: Asked<Status> | undefined,
  show: (socket: string, status: Status) => string,
): string[] {
  return half?.answer.status === undefined ? [] : [show(half.socket, half.answer.status)];
}

function text({ machines, silent }: Asking): string {
  const answers = machines.flatMap(({ helper, server }) => [
    ...textOf(helper, statusText),
    ...textOf(server, serverStatusText),
  ]);
  const others = silent.map(({ pid, kind, listensFor, clients }) => {
    if (listensFor !== undefined)
      return `pid ${pid} listens for clients of ${printable(listensFor)}, and serves ${clients.length === 0 ? 'none now' : `pid ${clients.join(', ')}`}\n`;
    const who = kind === 'server' ? `pid ${pid}, a 9P server` : `pid ${pid}`;
    return `${who}: tells nothing of itself, as it was started without --control or by another user\n`;
  });
  return [...others, ...answers].map((one) => `${one}\n`).join('');
}

const showText: Show = (asking) => {
  const shown = text(asking);
  print(shown === '' && asking.machines.length === 0 ? 'no helper runs\n' : shown);
  return complainOfAll(asking);
};

/** A pair is one object, of the helper with the server in it. */
const showJson: Show = (asking) => {
  const line = (value: object): void => {
    print(`${printableJson(value)}\n`);
  };
  for (const { pid, listensFor } of asking.silent) line({ socket: null, pid, listensFor });
  for (const { helper, server } of asking.machines) {
    const both = { ...fieldsOf(helper), ...(server?.answer.status && { server: fieldsOf(server) }) };
    if (Object.keys(both).length > 0) line(both);
  }
  return complainOfAll(asking);
};

function fieldsOf(half: Asked<object> | undefined): object {
  return half?.answer.status === undefined ? {} : { socket: half.socket, ...half.answer.status };
}

/** For a monitoring system one that does not answer is a number, too; where there is nothing there is no helper. */
const showMetrics: Show = ({ machines }) => {
  const helpers = machines.flatMap(({ helper }) => present(helper));
  const servers = machines.flatMap(({ server }) => present(server));
  const ofHelpers = series(helpers, String, (status) => status.export);
  // both halves of a pair have the same name
  const ofServers = series(servers, pairControlPath, ({ transport }) => transport);
  [...helpers, ...servers, ...ofHelpers.leftOut, ...ofServers.leftOut].forEach(complain);
  print(openMetrics(ofHelpers.scraped, ofServers.scraped));
  return ExitStatus.OK;
};

function present<Status extends object>(half: Asked<Status> | undefined): Asked<Status>[] {
  return half !== undefined && isThere(half.answer) ? [half] : [];
}

/** Until one of those that were named is gone. */
async function watch(sockets: readonly string[]): Promise<number> {
  for (;;) {
    const asking = askAbout(sockets);
    const status = process.stdout.isTTY ? redraw(asking) : showText(asking);
    if (status !== ExitStatus.OK && sockets.length > 0) return status;
    await pause(WATCH_MS);
  }
}

/** Draws over what was there, in one piece and no longer than the terminal, so that nothing flickers or scrolls. */
function redraw(asking: Asking): number {
  const lines = text(asking)
    .trimEnd()
    .split('\n')
    .slice(0, process.stdout.rows - 1);
  print(`${HOME}${lines.map((line) => `${line}${CLEAR_LINE}\n`).join('')}${CLEAR_BELOW}`);
  return complainOfAll(asking);
}

/** `virtfs-proxy-helper status`. Throws a usage error. @returns the exit status */
export async function showStatus({ given, operands, rest = [] }: Arguments<string>): Promise<number> {
  const sockets = [...operands, ...rest];
  const formats = given.map(({ name }) => name);
  const wrong = (message: string): Error => usageError(message, 'virtfs-proxy-helper status');
  if (new Set(formats).size > 1) throw wrong(`--${formats.join(' and --')} exclude each other`);
  const [format] = formats;
  for (const socket of sockets) {
    if (Buffer.byteLength(socket) > MAX_PATH_BYTES) {
      throw wrong(`${socket}: longer than the ${MAX_PATH_BYTES} bytes that a socket's path can have`);
    }
    if (!isUtf8(socket)) throw wrong(`${socket}: the path is not UTF-8, which no helper's is`);
    if (socket === '') throw wrong('a SOCKET is empty');
  }
  if (format === 'watch') return watch(sockets);
  const shows: Readonly<Record<string, Show>> = { json: showJson, openmetrics: showMetrics };
  return (shows[format ?? ''] ?? showText)(askAbout(sockets));
}
