/** Starts `virtfs-proxy-helper run`, or what else starts helpers, with the stand-in for QEMU, and speaks to that over its stdin and stdout. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, readdirSync, readFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { helperNode } from './guest/helper.js';
import { OURS } from './helper-process.js';
import { patience } from './patience.js';
import { startCode } from './start-code.js';

export const emulator = fileURLToPath(new URL('emulator.py', import.meta.url));
const PATIENCE_MS = 20_000 * patience;

/** What the stand-in tells of itself. */
export interface Description {
  readonly pid: number;
  /** Real, effective, saved and for files. */
  readonly uid: readonly string[];
  readonly gid: readonly string[];
  readonly groups: readonly string[];
  readonly capabilities: string;
  readonly descriptors: readonly number[];
  readonly blocking: readonly boolean[];
  readonly environment: Readonly<Record<string, string>>;
  readonly arguments: readonly string[];
}

export interface RunEnd {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it did not start. */
  readonly code: string | undefined;
}

async function inTime<T>(pending: Promise<T>, what: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(what()));
    }, PATIENCE_MS);
  });
  try {
    return await Promise.race([pending, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until something holds. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${PATIENCE_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Whether a process is there and is no zombie. */
export function isAlive(pid: number): boolean {
  return !['', 'Z', 'X'].includes(processState(pid));
}

/** `S`, `T` and the like, or nothing when there is no such process: proc_pid_stat(5). */
export function processState(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).charAt(0);
  } catch {
    return '';
  }
}

/** Children that run a program of which a word of the command line ends so. */
export function childrenOf(pid: number, word: string): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').split(' '),
  );
  return children
    .filter((child) => child !== '')
    .map(Number)
    .filter((child) =>
      commandLineOf(child)
        .split('\0')
        .some((part) => part.endsWith(word)),
    );
}

/** Empty for a process that has ended meanwhile. */
function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

export interface RunOptions {
  /** Descriptors that `run` inherits by mistake, from 3 on. Closed here once it has them. */
  readonly inherit?: readonly number[];
  /** Words in front of the command line. */
  readonly wrapper?: readonly string[];
  /** The command, when it is not the stand-in for QEMU. */
  readonly command?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

export class RunProcess {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  #read = 0;
  readonly #stdin: Writable;
  readonly #ended: Promise<RunEnd>;
  /** What has to be gone at the end of the test. */
  #pids: number[] = [];

  constructor(
    words: readonly string[],
    { inherit = [], env = process.env }: { inherit?: readonly number[]; env?: NodeJS.ProcessEnv } = {},
  ) {
    const [program = '', ...argv] = words;
    this.child = spawn(program, argv, {
      stdio: ['pipe', 'pipe', 'pipe', ...inherit],
      detached: true,
      env,
    });
    for (const descriptor of inherit) closeSync(descriptor);
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    if (this.child.stdin === null) throw new Error('no stdin');
    this.#stdin = this.child.stdin.on('error', () => undefined); // it has ended; tests look at that
    // Node closes it when `run` ends, but the command still reads it
    this.child.stdin = null;
    this.#ended = new Promise((resolve) => {
      this.child.once('close', (status, signal) => {
        resolve({ status, signal, code: startCode(this.stderr) });
      });
    });
    onTestFinished(() => {
      this.#stdin.destroy();
      for (const pid of [this.pid, ...this.#pids]) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    });
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('run did not start');
    return this.child.pid;
  }

  /** The first line of the stand-in. */
  async described(): Promise<Description> {
    const description = JSON.parse(await this.line()) as Description;
    this.#pids = [description.pid, ...this.helpers()];
    return description;
  }

  /** The pids of the helpers, in the order in which they were started. */
  helpers(): number[] {
    return childrenOf(this.pid, 'virtfs-proxy-helper');
  }

  /** The next line of the command's output. */
  async line(): Promise<string> {
    await until(
      () => this.stdout.includes('\n', this.#read) || this.child.exitCode !== null,
      `no line from the command; stderr:\n${this.stderr}`,
    );
    const end = this.stdout.indexOf('\n', this.#read);
    if (end < 0) throw new Error(`no more output; stderr:\n${this.stderr}`);
    const line = this.stdout.slice(this.#read, end);
    this.#read = end + 1;
    return line.trimEnd();
  }

  /** A line for the stand-in. */
  say(text: string): void {
    this.type(`${text}\n`);
  }

  type(text: string): void {
    this.#stdin.write(text);
  }

  /** Has the stand-in send a request; gives the errno of the reply, or "closed". */
  async request(descriptor: number, bytes: Buffer): Promise<number | 'closed'> {
    this.say(`${descriptor} ${bytes.toString('hex')}`);
    const line = await this.line();
    if (line === 'closed') return line;
    const reply = Buffer.from(line, 'hex');
    return reply.readUInt32LE(0) === 0 ? 0 : -reply.readInt32LE(8);
  }

  /** How it ended, when nothing holds its output any more: neither the command nor a helper. */
  end(): Promise<RunEnd> {
    return inTime(this.#ended, () => `run has not ended; stderr:\n${this.stderr}`);
  }
}

/** `virtfs-proxy-helper run`; `placeholders` become arguments of the stand-in. */
export function startRun(
  options: readonly string[],
  placeholders: readonly string[],
  { inherit = [], wrapper = [], command = [emulator], env = process.env }: RunOptions = {},
): RunProcess {
  const words = [helperNode, OURS, 'run', ...options, '--', ...command, ...placeholders];
  return new RunProcess([...wrapper, ...words], { inherit, env });
}
