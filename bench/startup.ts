import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BlockingClient } from './client/blocking-client.js';
import { lstatOf } from './client/cycles.js';
import {
  type Contestant,
  ended,
  Export,
  launch,
  minimalNode,
  ourHelper,
  referenceHelper,
  type Running,
  start,
} from './contestants.js';
import { Clock, close, connectedPair, connectUnix, recv, memory, usleep } from './libc.js';
import { progress } from './progress.js';
import { median, sum } from './statistics.js';

/** Medians, in milliseconds. */
export interface StartTimes {
  /** `node -e 0`, from exec to its end. */
  readonly bareNode: number;
  /** To the first answer of `minimal-helper.cjs`: no helper in TypeScript is quicker. */
  readonly limit: number;
  readonly ours: Start;
  readonly reference: Start;
}

export interface Start {
  /** To a socket at a path that accepts a connection. */
  readonly listening: number;
  /** To the return of the command that starts a daemon, which for ours means that it is ready. */
  readonly daemonReady: number;
  /** To the answer of a request that was there from the beginning. */
  readonly firstAnswer: number;
}

export interface Memory {
  /** PSS in MB (smaps_rollup) of one idle helper, and of each one more when there are `many`. */
  readonly one: number;
  readonly many: number;
  readonly eachMore: number;
  /** What is its own alone. */
  readonly privateEach: number;
}

export interface StartupResult {
  readonly times: StartTimes;
  readonly memory: { readonly ours: Memory; readonly reference: Memory };
}

const clock = Clock.monotonic();
const firstRequest = lstatOf('/');

/** Certificates, which Node reads when it starts where that is set, have nothing to do with what is measured. */
const environment: NodeJS.ProcessEnv = { ...process.env, NODE_EXTRA_CA_CERTS: '' };

export async function measureStartup(quick: boolean): Promise<StartupResult> {
  const exported = new Export();
  try {
    const times = await measureTimes(exported.path, quick ? 3 : 15);
    const many = quick ? 5 : 50;
    return {
      times,
      memory: {
        ours: await measureMemory(ourHelper, exported.path, many),
        reference: await measureMemory(referenceHelper, exported.path, many),
      },
    };
  } finally {
    exported.remove();
  }
}

async function measureTimes(exported: string, rounds: number): Promise<StartTimes> {
  const bare: number[] = [];
  const least: number[] = [];
  const all = [ourHelper, referenceHelper].map((contestant) => ({
    contestant,
    listening: [] as number[],
    daemonReady: [] as number[],
    firstAnswer: [] as number[],
  }));
  for (let round = 0; round < rounds; round++) {
    if (round % 5 === 0) progress(`startup: round ${round + 1} of ${rounds}`);
    bare.push(await bareNode());
    least.push(await untilFirstAnswer(minimalNode, exported));
    for (const { contestant, listening, daemonReady, firstAnswer } of all) {
      firstAnswer.push(await untilFirstAnswer(contestant, exported));
      listening.push(await untilListening(contestant, exported));
      daemonReady.push(await untilDaemonReady(contestant, exported));
    }
  }
  const [ours, theirs] = all.map(({ listening, daemonReady, firstAnswer }): Start => ({
    listening: median(listening),
    daemonReady: median(daemonReady),
    firstAnswer: median(firstAnswer),
  }));
  if (ours === undefined || theirs === undefined) throw new Error('nothing was measured');
  return { bareNode: median(bare), limit: median(least), ours, reference: theirs };
}

/** The end of the process shows as the end of a stream that it inherited: no event loop in between. */
async function bareNode(): Promise<number> {
  const [ours, theirs] = connectedPair();
  const before = clock.now();
  const child = spawn(process.execPath, ['-e', '0'], {
    stdio: ['ignore', 'ignore', 'ignore', theirs],
    env: environment,
  });
  close(theirs);
  recv(ours, memory(8), 8, 0);
  const elapsed = clock.now() - before;
  close(ours);
  await ended(child);
  return elapsed / 1e6;
}

async function untilFirstAnswer(contestant: Contestant, exported: string): Promise<number> {
  const [ours, theirs] = connectedPair();
  const client = new BlockingClient(ours);
  const before = clock.now();
  const child = launch(contestant, exported, theirs, { environment });
  client.exchange(firstRequest);
  const elapsed = clock.now() - before;
  client.close();
  await ended(child);
  return elapsed / 1e6;
}

/** The contestant's command line with a socket in place of the descriptor. */
function withSocket(
  contestant: Contestant,
  exported: string,
  socket: string,
  daemon: boolean,
): readonly string[] {
  const argv = contestant.argv(exported).filter((word) => !daemon || word !== '-n');
  const at = argv.indexOf('-f');
  return [...argv.slice(0, at), '-s', socket, '-u', '0', '-g', '0', ...argv.slice(at + 2)];
}

async function untilListening(contestant: Contestant, exported: string): Promise<number> {
  const socket = path.join(os.tmpdir(), `virtfs-bench-${process.pid}.sock`);
  const [program = '', ...argv] = withSocket(contestant, exported, socket, false);
  const before = clock.now();
  const child = spawn(program, argv, { stdio: 'ignore', env: environment });
  const connection = connectWhenThere(socket);
  const elapsed = clock.now() - before;
  new BlockingClient(connection).exchange(firstRequest);
  close(connection);
  await ended(child);
  fs.rmSync(socket, { force: true });
  return elapsed / 1e6;
}

async function untilDaemonReady(contestant: Contestant, exported: string): Promise<number> {
  const socket = path.join(os.tmpdir(), `virtfs-bench-${process.pid}.sock`);
  const [program = '', ...argv] = withSocket(contestant, exported, socket, true);
  const before = clock.now();
  const child = spawn(program, argv, { stdio: 'ignore', env: environment });
  await new Promise((resolve) => child.once('exit', resolve));
  const elapsed = clock.now() - before;
  const connection = connectWhenThere(socket);
  new BlockingClient(connection).exchange(firstRequest);
  close(connection);
  fs.rmSync(socket, { force: true });
  return elapsed / 1e6;
}

function connectWhenThere(socket: string): number {
  const deadline = clock.now() + 10e9;
  for (;;) {
    const connection = connectUnix(socket);
    if (connection !== undefined) return connection;
    if (clock.now() > deadline) throw new Error('the helper does not listen');
    usleep(100);
  }
}

async function measureMemory(contestant: Contestant, exported: string, many: number): Promise<Memory> {
  progress(`memory: ${contestant.title}, 1 and ${many} idle`);
  const helpers: Running[] = [start(contestant, exported)];
  try {
    await settled();
    const one = sum(helpers.map((helper) => rollup(helper.pid, 'Pss')));
    while (helpers.length < many) helpers.push(start(contestant, exported));
    await settled();
    const all = sum(helpers.map((helper) => rollup(helper.pid, 'Pss')));
    const own = sum(helpers.map(({ pid }) => rollup(pid, 'Private_Dirty') + rollup(pid, 'Private_Clean')));
    return { one, many, eachMore: (all - one) / (many - 1), privateEach: own / many };
  } finally {
    await Promise.all(helpers.map((helper) => helper.stop()));
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1000));
}

/** A line of /proc/PID/smaps_rollup in MB. */
export function rollup(pid: number, name: string): number {
  const text = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const [, kilobytes] = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text) ?? [];
  return Number(kilobytes) / 1024;
}
