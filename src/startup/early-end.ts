import type { StartError } from './start-errors.js';
import { fstatSync, readSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { close, memoryFile } from '../syscalls/files.js';
import type { ProcessEnd } from '../syscalls/process.js';

/** How many lines of a process's stderr are told, and how much of each. */
const LINES = 3;
const LINE_CHARACTERS = 200;
const MAX_OUTPUT = 65_536;

/** What Node prints around the message of an error: frames of the stack, the mark below the source, its version. */
const STACK = /^\s+at |^\s*\^*$|^Node\.js v/;
/** How the message of an error begins. */
const MESSAGE = /^(\w+)?(Error|FATAL ERROR)\b/;

/**
 * The stderr of a process that has not reported yet. It is a file in memory: unlike a pipe, nobody has to read it while
 * the process runs.
 */
export class KeptOutput {
  readonly #descriptor = memoryFile('stderr');

  /** What the process gets as its stderr; undefined where there is no memory or descriptor for it. */
  get descriptor(): number | undefined {
    return this.#descriptor < 0 ? undefined : this.#descriptor;
  }

  /** The end of what was written so far, which can be read once. */
  take(): string {
    if (this.#descriptor < 0) return '';
    // not by a path: whoever started a daemon shares the root that the daemon has changed
    const end = Buffer.alloc(MAX_OUTPUT);
    const start = Math.max(0, fstatSync(this.#descriptor).size - MAX_OUTPUT);
    const bytes = readSync(this.#descriptor, end, 0, MAX_OUTPUT, start);
    this.close();
    return end.toString('utf8', 0, bytes);
  }

  close(): void {
    if (this.#descriptor >= 0) close(this.#descriptor);
  }
}

/**
 * Why a process that should have reported that it is ready ended without a word, in one line.
 *
 * @param what the process
 * @param output what it wrote to stderr; empty where its caller has seen that
 */
export function earlyEnd(
  what: string,
  { status, signal }: ProcessEnd,
  output = '',
): Pick<StartError, 'code' | 'message'> {
  const how = signal === null ? `ended with status ${status}` : `was killed by ${signal}`;
  const words = tellingLines(output);
  const message = [
    `${what} ${how} before it was ready`,
    ...(signal === 'SIGSYS' ? [FORBIDDEN_CALL] : []),
    ...(words === '' ? [] : [`on stderr it wrote: ${words}`]),
  ].join('; ');
  return { code: 'ended-early', message };
}

const FORBIDDEN_CALL =
  'it made a system call that its filter forbids: with --seccomp log it starts, and the kernel logs the number of the call (audit, type=1326)';

/** The message of an error, or else the last lines. */
function tellingLines(output: string): string {
  const lines = output.split('\n').filter((line) => !STACK.test(line));
  const message = lines.findLastIndex((line) => MESSAGE.test(line));
  const telling = message < 0 ? lines.slice(-LINES) : lines.slice(message, message + LINES);
  return telling.map((line) => line.trim().slice(0, LINE_CHARACTERS)).join(' | ');
}

/**
 * What a program reports on a pipe, without the end of the line; empty when it ends without a word, or could not even
 * be started, for which there may be no pipe at all.
 */
export async function reportFrom(pipe: Readable | null | undefined): Promise<string> {
  let text = '';
  try {
    for await (const chunk of pipe?.setEncoding('utf8') ?? []) {
      text += chunk as string;
      if (text.endsWith('\n')) break;
    }
  } catch {
    // closed before its end
  }
  return text.trimEnd();
}
