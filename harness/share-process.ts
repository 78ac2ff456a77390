/** Starts `virtfs-proxy-helper share` or `server`, and never leaves anything of it behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { expect, onTestFinished, vi } from 'vitest';
import { helperNode } from './guest/helper.js';
import { childrenOf, isAlive } from './run-process.js';
import { OURS } from './helper-process.js';
import { NinepClient } from './ninep-client.js';
import { exportForTest } from './tree.js';
import { patience } from './patience.js';
import { startCode } from './start-code.js';

const PATIENCE_MS = 20_000 * patience;

export interface ShareOptions {
  readonly command?: 'share' | 'server';
  /** Words in front of the command line. */
  readonly wrapper?: readonly string[];
  readonly program?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** A socket for --listen fd:4, which is closed here. */
  readonly socket?: number;
  /** What the program has as --ready-fd; other than 3 where a wrapper moves it. */
  readonly readyDescriptor?: number;
}

export interface ShareEnd {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
  readonly report: string;
  /** Why it did not start. */
  readonly code: string | undefined;
}

const START = ['p9-server-start.js', 'virtfs-9p-server'];

/** The servers of a process, whatever they are called while they start. */
function serversOf(pid: number): number[] {
  return START.flatMap((word) => childrenOf(pid, word));
}

export class ShareProcess {
  readonly child: ChildProcess;
  stderr = '';
  /** What was written to the descriptor of --ready-fd. */
  report = '';
  readonly #ended: Promise<ShareEnd>;
  readonly #pids = new Set<number>();

  constructor(
    args: readonly string[],
    { command = 'share', wrapper = [], program = OURS, env, socket, readyDescriptor = 3 }: ShareOptions = {},
  ) {
    const [first, ...rest] = [
      ...wrapper,
      helperNode,
      program,
      command,
      ...args,
      `--ready-fd=${readyDescriptor}`,
    ];
    this.child = spawn(first, rest, {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', ...(socket === undefined ? [] : [socket])],
      env: env ?? process.env,
    });
    if (socket !== undefined) closeSync(socket);
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    (this.child.stdio[3] as Readable).setEncoding('utf8').on('data', (text: string) => (this.report += text));
    this.#ended = new Promise((resolve) => {
      // when nothing holds its stderr any more: neither a helper nor a server
      this.child.once('close', (status, signal) => {
        const { stderr, report } = this;
        resolve({ status, signal, stderr, report, code: startCode(stderr, report) });
      });
    });
    onTestFinished(async () => {
      this.remember();
      if (isAlive(this.pid)) this.child.kill('SIGKILL');
      for (const pid of this.#pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
      await this.#ended;
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** The processes that are there now: that of `share`, the helpers and the servers. */
  remember(): number[] {
    if (isAlive(this.pid)) {
      for (const pid of [...this.helpers(), ...this.startingHelpers(), ...this.servers()])
        this.#pids.add(pid);
    }
    return [this.pid, ...this.#pids];
  }

  helpers(): number[] {
    return childrenOf(this.pid, 'virtfs-proxy-helper');
  }

  /** Those that do not serve yet. */
  startingHelpers(): number[] {
    return ['main.js', 'serve.js'].flatMap((word) => childrenOf(this.pid, word));
  }

  servers(): number[] {
    return serversOf(this.pid);
  }

  async ready(): Promise<this> {
    await vi.waitFor(
      () => {
        if (this.report !== 'ready\n')
          throw new Error(`not ready: ${JSON.stringify(this.report)}; stderr: ${this.stderr}`);
      },
      { timeout: PATIENCE_MS, interval: 10 },
    );
    this.remember();
    return this;
  }

  async said(text: string): Promise<void> {
    await vi.waitFor(
      () => {
        if (!this.stderr.includes(text)) throw new Error(`${text} is not on stderr: ${this.stderr}`);
      },
      { timeout: PATIENCE_MS, interval: 10 },
    );
  }

  async end(): Promise<ShareEnd> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`share has not ended; stderr: ${this.stderr}`));
      }, PATIENCE_MS);
    });
    return Promise.race([this.#ended, late]).finally(() => {
      clearTimeout(timer);
    });
  }
}

/** A place for a socket, with a name that fits into its address. */
export function socketPathForTest(): string {
  const directory = mkdtempSync(join(tmpdir(), 'share-'));
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return join(directory, 'socket');
}

/** A client that has attached to the share, as another user perhaps; its root is fid 0. */
export async function attached(path: string, uid?: number): Promise<NinepClient> {
  // the kernel looks at the ids of the moment
  if (uid !== undefined) process.seteuid!(uid);
  const connecting = NinepClient.connect({ path });
  if (uid !== undefined) process.seteuid!(0);
  const client = await connecting;
  onTestFinished(() => {
    client.close();
  });
  await client.version();
  await client.attach(0);
  return client;
}

/** What every thread of a process has in a field of its status: proc_pid_status(5). */
export function ofThreads(pid: number, field: string): string[] {
  return readdirSync(`/proc/${pid}/task`).map((task) => {
    const status = readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8');
    return new RegExp(`^${field}:[ \\t]*(.*)$`, 'm').exec(status)?.[1]?.trim() ?? 'no such field';
  });
}

/** Nothing of what was there is there any more. */
export async function expectGone(pids: readonly number[]): Promise<void> {
  await vi.waitFor(() => {
    expect(pids.filter(isAlive)).toEqual([]);
  }, 5_000 * patience);
}

export async function sharedForTest(
  ...options: string[]
): Promise<{ share: ShareProcess; path: string; directory: string }> {
  const directory = exportForTest();
  const path = socketPathForTest();
  const share = new ShareProcess([`--path=${directory}`, `--listen=unix:${path}`, ...options]);
  return { share: await share.ready(), path, directory };
}
