import { setTimeout as pause } from 'node:timers/promises';
import { MAX_SOCKET_PATH } from '../cli/configuration.js';
import type { Arguments } from '../../cli/arguments.js';
import { print } from '../../cli/output.js';
import { isUtf8 } from '../../cli/path-bytes.js';
import { ExitStatus } from '../../startup/exit-status.js';
import { usageError } from '../../startup/start-errors.js';
import { openMetrics } from '../../observability/openmetrics.js';
import { printable, statusText } from '../../observability/status-text.js';
import { type Answer, askHelper } from './ask.js';
import { clientSockets, findHelpers, type FoundHelper } from './discovery.js';

const WATCH_MS = 1000;
/** Goes to a terminal's first line, clears the rest of a line, and what is below: console_codes(4). */
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

interface Asked {
  readonly socket: string;
  readonly answer: Answer;
}

/** What the arguments ask for, all helpers of the machine without any. */
interface Asking {
  readonly asked: readonly Asked[];
  /** Processes that have no control socket. */
  readonly silent: readonly FoundHelper[];
}

/** How the answers are shown. @returns the exit status */
type Show = (asking: Asking) => number;

function complain({ socket, answer }: Asked): number {
  if (answer.status !== undefined) return ExitStatus.OK;
  process.stderr.write(`virtfs-proxy-helper: ${socket}: ${answer.reason}\n`);
  return ExitStatus.FAILURE;
}

function complainOfAll(asked: readonly Asked[]): number {
  return Math.max(ExitStatus.OK, ...asked.map(complain));
}

function text({ asked, silent }: Asking): string {
  const answers = asked.flatMap(({ socket, answer: { status } }) =>
    status === undefined ? [] : [statusText(socket, status)],
  );
  const others = silent.map(({ pid, listensFor }) =>
    listensFor === undefined
      ? `pid ${pid}: tells nothing of itself, as it was started without --control or by another user\n`
      : `pid ${pid} listens for clients of ${printable(listensFor)}, and serves ${clientsOf(pid)}\n`,
  );
  return [...others, ...answers].map((one) => `${one}\n`).join('');
}

/** The processes of a listener's clients. */
function clientsOf(listener: number): string {
  const pids = findHelpers().flatMap(({ pid, parent }) => (parent === listener ? [pid] : []));
  return pids.length === 0 ? 'none now' : `pid ${pids.join(', ')}`;
}

const showText: Show = (asking) => {
  const shown = text(asking);
  print(shown === '' && asking.asked.length === 0 ? 'no helper runs\n' : shown);
  return complainOfAll(asking.asked);
};

const showJson: Show = ({ asked, silent }) => {
  for (const { pid, listensFor } of silent) print(`${JSON.stringify({ socket: null, pid, listensFor })}\n`);
  for (const { socket, answer } of asked) {
    if (answer.status !== undefined) print(`${JSON.stringify({ socket, ...answer.status })}\n`);
  }
  return complainOfAll(asked);
};

/** For a monitoring system one that does not answer is a number, too; where there is nothing there is no helper. */
const showMetrics: Show = ({ asked }) => {
  const present = asked.filter(({ answer }) => answer.status !== undefined || !answer.absent);
  present.forEach(complain);
  print(openMetrics(present.map(({ socket, answer: { status } }) => ({ socket, status }))));
  return ExitStatus.OK;
};

function ask(sockets: readonly string[]): Asking {
  if (sockets.length === 0) return askAll();
  return { asked: sockets.flatMap(askOne), silent: [] };
}

/** A helper, or the clients of a listener, which has no socket itself. */
function askOne(socket: string): Asked[] {
  const answer = askHelper(socket);
  const clients = answer.status === undefined && answer.absent ? clientSockets(socket) : [];
  return clients.length > 0
    ? clients.map((client) => ({ socket: client, answer: askHelper(client) }))
    : [{ socket, answer }];
}

function askAll(): Asking {
  const found = findHelpers();
  const asked = found.flatMap(({ pid, control }) =>
    control === undefined ? [] : [{ socket: control, answer: askHelper(control, pid) }],
  );
  return { asked, silent: found.filter(({ control }) => control === undefined) };
}

/** Until one of those that were named is gone. */
async function watch(sockets: readonly string[]): Promise<number> {
  for (;;) {
    const asking = ask(sockets);
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
  return complainOfAll(asking.asked);
}

/** `virtfs-proxy-helper status`. Throws a usage error. @returns the exit status */
export async function showStatus({ given, operands, rest = [] }: Arguments<string>): Promise<number> {
  const sockets = [...operands, ...rest];
  const formats = given.map(({ name }) => name);
  const wrong = (message: string): Error => usageError(message, 'virtfs-proxy-helper status');
  if (new Set(formats).size > 1) throw wrong(`--${formats.join(' and --')} exclude each other`);
  const [format] = formats;
  for (const socket of sockets) {
    if (Buffer.byteLength(socket) > MAX_SOCKET_PATH) {
      throw wrong(`${socket}: longer than the ${MAX_SOCKET_PATH} bytes that a socket's path can have`);
    }
    if (!isUtf8(socket)) throw wrong(`${socket}: the path is not UTF-8, which no helper's is`);
    if (socket === '') throw wrong('a SOCKET is empty');
  }
  if (format === 'watch') return watch(sockets);
  const shows: Readonly<Record<string, Show>> = { json: showJson, openmetrics: showMetrics };
  return (shows[format ?? ''] ?? showText)(ask(sockets));
}
