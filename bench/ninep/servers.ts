import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { repositoryRoot } from '../../harness/guest/repository.js';
import { ended, minimalLoops, ours } from '../contestants.js';
import { Clock, close, connectedPair, connectUnix } from '../libc.js';
import { processTree } from '../process-tree.js';
import { sum } from '../statistics.js';
import { type Action, preparation } from './actions.js';
import { NinepClient } from './client.js';

const DIOD = '/usr/sbin/diod';
/** Another build of ours to be measured beside this one. */
const before = process.env['VIRTFS_BEFORE'];

/** Something that serves an export over 9P. */
export interface Server {
  readonly key: string;
  readonly title: string;
  /** Whether it never sleeps: it is stopped but for its turns. */
  readonly spins?: boolean;
  /** Whether it can do just what is measured of single files. */
  readonly isMinimal?: boolean;
  start(exported: string): Promise<Started>;
}

/** Processes, and a connected socket. */
interface Started {
  readonly processes: readonly ChildProcess[];
  readonly client: number;
  readonly aname: string;
}

/** One that serves. */
export interface RunningServer {
  readonly server: Server;
  readonly client: NinepClient;
  /** All of its processes. */
  readonly pids: readonly number[];
  /** The CPU time of all of them, in nanoseconds. */
  cpu(): number;
  /** Before and after its turn. */
  resume(): void;
  pause(): void;
  stop(): Promise<void>;
}

export async function startServer(server: Server, exported: string): Promise<RunningServer> {
  const { processes, client: socket, aname } = await server.start(exported);
  const client = new NinepClient(socket, aname);
  for (const request of preparation) client.exchange(request);
  const signal = (name: 'SIGSTOP' | 'SIGCONT'): void => {
    if (server.spins === true) for (const { pid } of processes) process.kill(pid ?? 0, name);
  };
  signal('SIGSTOP');
  const pids = processes.flatMap(({ pid }) => processTree(pid ?? 0));
  const clocks = pids.map((pid) => Clock.cpuOf(pid));
  return {
    server,
    client,
    pids,
    cpu: () => sum(clocks.map((clock) => clock.now())),
    resume: () => {
      signal('SIGCONT');
    },
    pause: () => {
      signal('SIGSTOP');
    },
    stop: async () => {
      signal('SIGCONT');
      client.close();
      if (server === diod) processes[0]?.kill('SIGKILL');
      await Promise.all(processes.map(ended));
    },
  };
}

export const canDo = ({ isMinimal }: Server, { name }: Action): boolean =>
  isMinimal !== true || !name.startsWith('readdir');

function share(key: string, title: string, program: string): Server {
  return {
    key,
    title,
    start: async (exported) => {
      const [client, theirs] = connectedPair();
      const words = [program, 'share', '--path', exported, '--listen', 'fd:3', '--log-level', 'error'];
      const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit', theirs] });
      close(theirs);
      return Promise.resolve({ processes: [child], client, aname: '' });
    },
  };
}

export const ourShare = share('ours', 'ours', ours);
export const shareBefore = before === undefined ? undefined : share('before', 'ours, before', before);

export const diod: Server = {
  key: 'diod',
  title: 'diod',
  start: async (exported) => {
    const socket = path.join(os.tmpdir(), `virtfs-bench-${process.pid}-diod.sock`);
    fs.rmSync(socket, { force: true });
    const options = ['-f', '-n', '-N', '-e', exported, '-U', 'root', '-L', 'stderr', '-l', socket];
    const child = spawn(DIOD, options, { stdio: 'ignore' });
    const client = await connectedTo(socket);
    fs.rmSync(socket, { force: true });
    return { processes: [child], client, aname: exported };
  },
};

export const hasDiod = fs.existsSync(DIOD);

export async function connectedTo(socket: string): Promise<number> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const client = connectUnix(socket);
    if (client !== undefined) return client;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`nobody listens at ${socket}`);
}

/** The measuring sticks: in C a server that asks a minimal loop, both sleeping or both polling. */
export function minimalPairs(): readonly Server[] {
  const source = path.join(repositoryRoot, 'bench', 'minimal-server.c');
  const program = path.join(repositoryRoot, '.cache', 'bench', 'minimal-server');
  const [loop, polling] = minimalLoops();
  if (loop === undefined || polling === undefined) return [];
  execFileSync('gcc', ['-O2', '-o', program, source], { stdio: ['ignore', 'ignore', 'inherit'] });
  const start = async (
    exported: string,
    answering: typeof loop,
    flags: readonly string[],
  ): Promise<Started> => {
    const [client, theirs] = connectedPair();
    const [asking, answered] = connectedPair();
    const [loopProgram = '', ...argv] = answering.argv(exported);
    const helper = spawn(loopProgram, argv, { stdio: ['ignore', 'ignore', 'inherit', answered] });
    const server = spawn(program, ['/data', ...flags], {
      stdio: ['ignore', 'ignore', 'inherit', theirs, asking],
    });
    for (const descriptor of [theirs, asking, answered]) close(descriptor);
    return Promise.resolve({ processes: [server, helper], client, aname: '' });
  };
  return [
    { key: 'pair', title: 'minimal C pair', isMinimal: true, start: (exported) => start(exported, loop, []) },
    {
      key: 'pair-polling',
      title: 'minimal C pair, server polling',
      isMinimal: true,
      spins: true,
      start: (exported) => start(exported, loop, ['poll']),
    },
  ];
}
