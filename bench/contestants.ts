import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { repositoryRoot } from '../harness/guest/repository.js';
import { BlockingClient } from './client/blocking-client.js';
import { lstatOf } from './client/cycles.js';
import { Clock, connectedPair } from './libc.js';

export const reference = '/usr/lib/qemu/virtfs-proxy-helper';
/** `VIRTFS_HELPER` measures another build. */
export const ours = process.env['VIRTFS_HELPER'] ?? path.join(repositoryRoot, 'dist', 'main.js');

const cache = path.join(repositoryRoot, '.cache', 'bench');

/** A program that serves an export; `argv` takes the export's path. */
export interface Contestant {
  readonly key: string;
  readonly title: string;
  argv(exported: string): readonly string[];
  /** Whether it never sleeps: it is stopped but for its turns, or it would take a core from the others. */
  readonly spins?: boolean;
}

const node = ours.endsWith('.js') ? [process.execPath, ours] : [ours];

export const ourHelper: Contestant = {
  key: 'ours',
  title: 'ours',
  argv: (exported) => [...node, '-n', '-p', exported, '-f', '3', '--log-level', 'error'],
};

const withoutPolling: Contestant = {
  key: 'ours-off',
  title: 'ours, --poll-us 0',
  argv: (exported) => [...ourHelper.argv(exported), '--poll-us', '0'],
};

/** Undefined when this build has no such option. */
export const ourHelperWithoutPolling = hasOption('--poll-us') ? withoutPolling : undefined;

export const referenceHelper: Contestant = {
  key: 'reference',
  title: 'C helper',
  argv: (exported) => [reference, '-n', '-p', exported, '-f', '3'],
};

function hasOption(name: string): boolean {
  return execFileSync(node[0] ?? '', [...node.slice(1), '--help'], { encoding: 'utf8' }).includes(name);
}

/** The measuring sticks: C that does nothing but receive, make the one call, and send; with and without polling. */
export function minimalLoops(): readonly Contestant[] {
  const source = path.join(repositoryRoot, 'bench', 'minimal-loop.c');
  const program = path.join(cache, 'minimal-loop');
  try {
    fs.mkdirSync(cache, { recursive: true });
    execFileSync('gcc', ['-O2', '-o', program, source], { stdio: ['ignore', 'ignore', 'inherit'] });
  } catch {
    return [];
  }
  return [
    { key: 'loop', title: 'minimal C loop', argv: (exported) => [program, exported] },
    {
      key: 'loop-polling',
      title: 'minimal C loop, polling',
      argv: (exported) => [program, exported, 'poll'],
      spins: true,
    },
  ];
}

/** The measuring stick in JavaScript. */
export const minimalNode: Contestant = {
  key: 'node',
  title: 'minimal Node loop',
  argv: (exported) => [process.execPath, path.join(repositoryRoot, 'bench', 'minimal-helper.cjs'), exported],
};

export const minimalNodePolling: Contestant = {
  key: 'node-polling',
  title: 'minimal Node loop, polling',
  argv: (exported) => [...minimalNode.argv(exported), 'poll'],
  spins: true,
};

/** A contestant that serves. */
export interface Running {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly client: BlockingClient;
  readonly cpu: Clock;
  /** Before and after its turn. */
  resume(): void;
  pause(): void;
  stop(): Promise<void>;
}

export interface StartOptions {
  /** The only core that it may use. */
  readonly core?: number;
  readonly environment?: NodeJS.ProcessEnv;
  /** Where its standard output goes. */
  readonly output?: number;
}

/** Starts a contestant on an inherited descriptor, and waits for its first answer. */
export function start(contestant: Contestant, exported: string, options: StartOptions = {}): Running {
  const [client, theirs] = connectedPair();
  const running = launch(contestant, exported, theirs, options);
  const blocking = new BlockingClient(client);
  blocking.exchange(lstatOf('/'));
  const pid = running.pid ?? 0;
  const signal = (name: 'SIGSTOP' | 'SIGCONT'): void => {
    if (contestant.spins === true) process.kill(pid, name);
  };
  signal('SIGSTOP');
  return {
    process: running,
    pid,
    client: blocking,
    cpu: Clock.cpuOf(pid),
    resume: () => {
      signal('SIGCONT');
    },
    pause: () => {
      signal('SIGSTOP');
    },
    stop: async () => {
      signal('SIGCONT');
      blocking.close();
      await ended(running);
    },
  };
}

/** Starts a contestant with a descriptor as its number 3, which is closed here. Does not wait for anything. */
export function launch(
  contestant: Contestant,
  exported: string,
  descriptor: number,
  { core, environment, output }: StartOptions = {},
): ChildProcess {
  const pinned = core === undefined ? [] : ['taskset', '-c', String(core)];
  const [program = '', ...argv] = [...pinned, ...contestant.argv(exported)];
  const child = spawn(program, argv, {
    stdio: ['ignore', output ?? 'ignore', 'ignore', descriptor],
    env: environment ?? process.env,
  });
  fs.closeSync(descriptor);
  return child;
}

/** Waits for a process to end, which it does when its client is gone; kills one that does not. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** A directory that is removed at the end, with what the cycles work on. */
export class Export {
  readonly path = fs.mkdtempSync(path.join(os.tmpdir(), 'virtfs-bench-'));

  constructor() {
    fs.chmodSync(this.path, 0o755);
    const work = path.join(this.path, 'work');
    fs.mkdirSync(work);
    fs.writeFileSync(path.join(work, 'file'), Buffer.alloc(4096, 'x'));
    fs.symlinkSync('file', path.join(work, 'link'));
  }

  remove(): void {
    fs.rmSync(this.path, { recursive: true, force: true });
  }
}
