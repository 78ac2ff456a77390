import { setTimeout as pause } from 'node:timers/promises';
import { MAX_SOCKET_PATH } from '../cli/configuration.js';
import { type Arguments, usageError } from '../cli/options.js';
import { print } from '../cli/output.js';
import { isUtf8 } from '../cli/path-bytes.js';
import { ExitStatus } from '../exit-status.js';
import { openMetrics } from '../observability/openmetrics.js';
import { statusText } from '../observability/status-text.js';
import { type Answer, askHelper } from './ask.js';

const WATCH_MS = 1000;
/** Clears a terminal and goes to its first line: console_codes(4). */
const CLEAR = '\x1b[H\x1b[2J\x1b[3J';

interface Asked {
  readonly socket: string;
  readonly answer: Answer;
}

/** How the answers are shown. @returns the exit status */
type Show = (asked: readonly Asked[]) => number;

function complain({ socket, answer }: Asked): number {
  if (answer.status !== undefined) return ExitStatus.OK;
  process.stderr.write(`virtfs-proxy-helper: ${socket}: ${answer.reason}\n`);
  return ExitStatus.FAILURE;
}

/** Each helper by itself. */
function each(text: (socket: string, answer: Answer & { status: object }) => string): Show {
  return (asked) => {
    for (const { socket, answer } of asked) {
      if (answer.status !== undefined) print(text(socket, answer));
    }
    return Math.max(...asked.map(complain));
  };
}

const showText = each((socket, { status }) => `${statusText(socket, status)}\n`);

const showJson = each((socket, { status }) => `${JSON.stringify({ socket, ...status })}\n`);

/** For a monitoring system one that does not answer is a number, too; where there is nothing there is no helper. */
const showMetrics: Show = (asked) => {
  const present = asked.filter(({ answer }) => answer.status !== undefined || !answer.absent);
  present.forEach(complain);
  print(openMetrics(present.map(({ socket, answer: { status } }) => ({ socket, status }))));
  return ExitStatus.OK;
};

const ask = (sockets: readonly string[]): Asked[] =>
  sockets.map((socket) => ({ socket, answer: askHelper(socket) }));

/** Until one of them is gone. */
async function watch(sockets: readonly string[]): Promise<number> {
  for (;;) {
    if (process.stdout.isTTY) print(CLEAR);
    const status = showText(ask(sockets));
    if (status !== ExitStatus.OK) return status;
    await pause(WATCH_MS);
  }
}

/** `virtfs-proxy-helper status`. Throws a usage error. @returns the exit status */
export async function showStatus({ given, operands, rest = [] }: Arguments<string>): Promise<number> {
  const sockets = [...operands, ...rest];
  const formats = given.map(({ name }) => name);
  const wrong = (message: string): Error => usageError(message, 'virtfs-proxy-helper status');
  if (new Set(formats).size > 1) throw wrong(`--${formats.join(' and --')} exclude each other`);
  const [format] = formats;
  if (sockets.length === 0 && format !== 'openmetrics') throw wrong('a SOCKET is required');
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
