/** Starts a helper, ours or the reference, and never leaves one behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { helperNode, helperUnderTest } from './guest/helper.js';
import { SystemError } from './libc.js';
import { pause } from './process-usage.js';
import { WireClient } from './wire-client.js';
import { patience } from './patience.js';
import { startCode } from './start-code.js';

export const REFERENCE = '/usr/lib/qemu/virtfs-proxy-helper';
export const OURS = helperUnderTest;

export interface Exit {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
  /** Why it did not start. */
  readonly code: string | undefined;
}

/** A script runs under the Node of the helper; anything else (a wrapper, the reference) as it is. */
export function commandLine(program: string, args: readonly string[]): readonly [string, readonly string[]] {
  return program.endsWith('.js') ? [helperNode, [program, ...args]] : [program, args];
}

/** Why tests that start a helper cannot run here, or undefined if they can. */
export function whyNotRoot(): string | undefined {
  return process.getuid?.() === 0 ? undefined : 'needs root: a helper chroots and switches users';
}

/** Why the reference cannot run here, or undefined if it can. */
export function whyNoReference(): string | undefined {
  return existsSync(REFERENCE)
    ? whyNotRoot()
    : `${REFERENCE} is not installed (Debian 12: qemu-system-common)`;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface StartOptions {
  readonly program?: string;
  /** Descriptors of this process to hand over, the first as 3. They are closed here once the helper has them. */
  readonly inherit?: readonly number[];
  /** A program in front of the command line, such as `unshare`. */
  readonly wrapper?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

export class HelperProcess {
  readonly child: ChildProcess;
  readonly #logDirectory: string;
  readonly #exited: Promise<Exit>;

  constructor(
    args: readonly string[],
    { program = OURS, inherit = [], wrapper = [], env }: StartOptions = {},
  ) {
    // A file, not a pipe: nobody reads a pipe while a blocking client runs, and a full one would stop the helper.
    this.#logDirectory = mkdtempSync(join(tmpdir(), 'helper-log-'));
    const stderr = openSync(join(this.#logDirectory, 'stderr'), 'a');
    const [command, commandArgs] = commandLine(program, args);
    const [first = command, ...rest] = [...wrapper, command, ...commandArgs];
    this.child = spawn(first, rest, {
      stdio: ['ignore', 'ignore', stderr, ...inherit],
      env: env ?? process.env,
    });
    for (const fd of [stderr, ...inherit]) closeSync(fd);
    running.add(this.child);
    this.#exited = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('exit', (status, signal) => {
        running.delete(this.child);
        const stderr = this.stderr();
        resolve({ status, signal, stderr, code: startCode(stderr) });
      });
    });
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('the helper did not start');
    return this.child.pid;
  }

  stderr(): string {
    return readFileSync(join(this.#logDirectory, 'stderr'), 'utf8');
  }

  /** Waits for the helper to end by itself; one that stays is killed and fails the test. */
  async exit(milliseconds = 10_000 * patience): Promise<Exit> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`the helper still runs after ${milliseconds} ms; its stderr:\n${this.stderr()}`));
      }, milliseconds);
    });
    try {
      return await Promise.race([this.#exited, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the helper whatever it does, and removes what it logged. */
  async stop(): Promise<void> {
    if (running.has(this.child)) this.child.kill('SIGKILL');
    await this.#exited.catch(() => undefined);
    rmSync(this.#logDirectory, { recursive: true, force: true });
  }
}

export interface Session {
  readonly helper: HelperProcess;
  readonly client: WireClient;
}

/** A helper serving `exportPath` on an inherited, connected descriptor. The caller stops it. */
export function startSession(
  exportPath: string,
  options: Omit<StartOptions, 'inherit'> & {
    readonly timeoutSeconds?: number;
    readonly args?: readonly string[];
  } = {},
): Session {
  const { client, peer } = WireClient.pair(options.timeoutSeconds);
  const args = ['-n', '-p', exportPath, '-f', '3', ...(options.args ?? [])];
  return { helper: new HelperProcess(args, { ...options, inherit: [peer] }), client };
}

/** The same for one test, which stops it however the test ends. */
export function sessionForTest(...parameters: Parameters<typeof startSession>): Session {
  const session = startSession(...parameters);
  onTestFinished(async () => {
    session.client.close();
    await session.helper.stop();
  });
  return session;
}

/** A helper with any command line, stopped however the test ends. */
export function helperForTest(...parameters: ConstructorParameters<typeof HelperProcess>): HelperProcess {
  const helper = new HelperProcess(...parameters);
  onTestFinished(() => helper.stop());
  return helper;
}

/**
 * Waits until nobody listens at a path. What a helper has forked to start ends a moment after a SIGKILL of the helper, and
 * has the socket until then: who connects meanwhile is never served.
 */
export async function nobodyListens(path: string): Promise<void> {
  const end = Date.now() + 10_000 * patience;
  while (Date.now() < end) {
    try {
      WireClient.connect(path).close();
    } catch (error) {
      if (error instanceof SystemError) return;
      throw error;
    }
    await pause(2);
  }
  throw new Error(`somebody listens at ${path}`);
}
