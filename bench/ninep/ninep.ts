import { Export } from '../contestants.js';
import { Clock, runOnCores } from '../libc.js';
import { describeMachine } from '../machine.js';
import { progress } from '../progress.js';
import { median, medianRatio } from '../statistics.js';
import { type Action, actions, fill } from './actions.js';
import { type FootprintResult, measureFootprint } from './footprint.js';
import type { NinepClient } from './client.js';
import {
  canDo,
  diod,
  hasDiod,
  minimalPairs,
  ourShare,
  type RunningServer,
  type Server,
  shareBefore,
  startServer,
} from './servers.js';

/** Of one action with one server. */
export interface ActionResult {
  /** The median of the starts' medians, in nanoseconds. */
  readonly p50: number;
  /** The median of what each start's was of diod's in the same start. */
  readonly relative: number;
  /** CPU time of all its processes per repetition, in nanoseconds. */
  readonly cpu: number;
}

export interface ServerResult {
  readonly key: string;
  readonly title: string;
  /** By the name of the action. */
  readonly actions: Readonly<Record<string, ActionResult>>;
}

export interface NinepResult {
  readonly date: string;
  /** How many cores other work took just before. */
  readonly busyCores: number;
  readonly starts: number;
  /** Client, server and helper on two cores, and on one. */
  readonly two: readonly ServerResult[];
  readonly one: readonly ServerResult[];
  readonly footprint: FootprintResult;
}

/** The medians of the starts, by the action. */
interface Account {
  readonly server: Server;
  readonly times: Map<Action, number[]>;
  readonly cpu: Map<Action, number[]>;
}

const clock = Clock.monotonic();
/** Repetitions of each action before anything is measured. */
const WARM_UP = 1500;
/** Turns within one start, and repetitions within a turn. */
const TURNS = 8;
const REPETITIONS = 60;

/** Every action with every server, in turns, each of them started many times. */
export async function measureNinep(quick: boolean): Promise<NinepResult | undefined> {
  if (!hasDiod) return undefined;
  const { date, busyCores } = await describeMachine();
  const starts = quick ? 2 : 10;
  const servers = [ourShare, ...(shareBefore === undefined ? [] : [shareBefore]), diod, ...minimalPairs()];
  const two = await measureOn(servers, [0, 1], starts, quick);
  // a server that never sleeps leaves nothing of one core
  const sleepers = servers.filter(({ spins }) => spins !== true);
  const one = await measureOn(sleepers, [1], starts, quick);
  runOnCores(Array.from({ length: 1024 }, (_, core) => core));
  return { date, busyCores, starts, two, one, footprint: await measureFootprint(quick) };
}

/** What the processes that are started inherit is the set of cores, too. */
async function measureOn(
  servers: readonly Server[],
  cores: readonly number[],
  starts: number,
  quick: boolean,
): Promise<readonly ServerResult[]> {
  runOnCores(cores);
  const accounts = servers.map((server): Account => ({ server, times: new Map(), cpu: new Map() }));
  for (let start = 0; start < starts; start++) {
    progress(`9P on ${cores.length} cores: start ${start + 1} of ${starts}`);
    const exported = new Export();
    fill(exported.path);
    const running: RunningServer[] = [];
    try {
      for (const server of servers) running.push(await startServer(server, exported.path));
      for (const server of running) warmUp(server);
      for (const action of actions) {
        measureAction(running, action, start, quick).forEach(({ times, cpu }, index) => {
          const account = accounts[index];
          account?.times.set(action, [...(account.times.get(action) ?? []), median(times)]);
          account?.cpu.set(action, [...(account.cpu.get(action) ?? []), median(cpu)]);
        });
      }
    } finally {
      await Promise.all(running.map((server) => server.stop()));
      exported.remove();
    }
  }
  const theirs = accounts.find(({ server }) => server === diod);
  return accounts.map(({ server: { key, title }, times, cpu }) => ({
    key,
    title,
    actions: Object.fromEntries(
      [...times].map(([action, medians]) => [
        action.name,
        {
          p50: median(medians),
          relative: medianRatio(medians, theirs?.times.get(action) ?? []),
          cpu: median(cpu.get(action) ?? []),
        },
      ]),
    ),
  }));
}

/** V8 compiles what is used often. */
function warmUp(server: RunningServer): void {
  server.resume();
  for (const action of actions) if (canDo(server.server, action)) repeat(server.client, action, WARM_UP);
  server.pause();
}

/** What was measured of an action with one server: times of repetitions, and CPU time of each by turns. */
interface Samples {
  readonly times: number[];
  readonly cpu: number[];
}

function measureAction(
  running: readonly RunningServer[],
  action: Action,
  start: number,
  quick: boolean,
): readonly Samples[] {
  const all = running.map((): Samples => ({ times: [], cpu: [] }));
  for (let turn = 0; turn < (quick ? 2 : TURNS); turn++) {
    const order = running.map((server, index) => ({ server, samples: all[index] }));
    // who goes first changes, so that nobody always profits from what the one before left behind
    if ((turn + start) % 2 === 0) order.reverse();
    for (const { server, samples } of order) {
      if (!canDo(server.server, action)) continue;
      server.resume();
      const before = server.cpu();
      repeat(server.client, action, REPETITIONS, samples?.times);
      samples?.cpu.push((server.cpu() - before) / REPETITIONS);
      server.pause();
    }
  }
  return all;
}

function repeat(client: NinepClient, { frames }: Action, repetitions: number, into?: number[]): void {
  for (let repetition = 0; repetition < repetitions; repetition++) {
    const before = clock.now();
    for (const request of frames) client.exchange(request);
    into?.push(clock.now() - before);
  }
}
