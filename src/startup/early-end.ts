import { readFileSync } from 'node:fs';
import { StartError } from '../exit-status.js';
import { describeErrno } from '../syscalls/errno-text.js';
import { close, memoryFile } from '../syscalls/files.js';
import type { ProcessEnd } from '../syscalls/process.js';

/** How many lines of a process's stderr are told, and how much of each. */
const LINES = 3;
const LINE_CHARACTERS = 200;

/** What Node prints around the message of an error: frames of the stack, the mark below the source, its version. */
const STACK = /^\s+at |^\s*\^*$|^Node\.js v/;
/** How the message of an error begins. */
const MESSAGE = /^(\w+)?(Error|FATAL ERROR)\b/;

/**
 * The stderr of a process that has not reported yet. It is a file in memory: unlike a pipe, nobody has to read it while
 * the process runs.
 */
export class KeptOutput {
  readonly descriptor: number;

  /** Throws a StartError. */
  constructor() {
    this.descriptor = memoryFile('stderr');
    if (this.descriptor < 0) throw new StartError(`cannot keep stderr: ${describeErrno(this.descriptor)}`);
  }

  read(): string {
    return readFileSync(`/proc/self/fd/${this.descriptor}`, 'utf8');
  }

  close(): void {
    close(this.descriptor);
  }
}

/**
 * Why a process that should have reported that it is ready ended without a word, in one line.
 *
 * @param what the process
 * @param output what it wrote to stderr; empty where its caller has seen that
 */
export function earlyEnd(what: string, { status, signal }: ProcessEnd, output = ''): string {
  const how = signal === null ? `ended with status ${status}` : `was killed by ${signal}`;
  const words = tellingLines(output);
  return [
    `${what} ${how} before it was ready`,
    ...(signal === 'SIGSYS' ? [FORBIDDEN_CALL] : []),
    ...(words === '' ? [] : [`on stderr it wrote: ${words}`]),
  ].join('; ');
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
