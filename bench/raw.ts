import type { Contestant, Running } from './contestants.js';
import {
  Export,
  minimalLoops,
  minimalNode,
  minimalNodePolling,
  ourHelper,
  ourHelperWithoutPolling,
  referenceHelper,
  start,
} from './contestants.js';
import { type Cycle, cycles, mix } from './client/cycles.js';
import { repeat, Times } from './client/measure.js';
import { runOnCores } from './libc.js';
import { progress } from './progress.js';
import { median, medianRatio, percentile } from './statistics.js';

/** Of the times in nanoseconds. */
export interface Latency {
  /** The median of the rounds' medians. */
  readonly p50: number;
  readonly p99: number;
  /** The median of what each round's was of the C helper's in the same round: the machine's own speed changes. */
  readonly relative: number;
}

export interface ContestantResult {
  readonly key: string;
  readonly title: string;
  /** By the name of the step. */
  readonly latency: Readonly<Record<string, Latency>>;
  /** CPU time of the helper per request in nanoseconds, by the name of the cycle. */
  readonly cpu: Readonly<Record<string, number>>;
  /** The same as `relative` of the latencies. */
  readonly relativeCpu: Readonly<Record<string, number>>;
}

/** `free`: the kernel places both; `apart`: each has a core of its own; `shared`: both have the same. */
export type CoreUse = 'free' | 'apart' | 'shared';

export type RawResult = Readonly<Record<CoreUse, readonly ContestantResult[]>>;

/** The core that client and helper share; the other one takes interrupts and whatever else runs. */
const SHARED_CORE = 1;
const OTHER_CORE = 0;

const allCycles: readonly Cycle[] = [...cycles, mix];

/** What was measured of a contestant, an element for each round. */
interface Account {
  readonly contestant: Contestant;
  readonly samples: Map<string, number[][]>;
  /** Nanoseconds per request. */
  readonly cpu: Map<string, number[]>;
}

/** Every request over every contestant, in turns within one run. */
export async function measureRaw(quick: boolean): Promise<RawResult> {
  const contestants = [
    ourHelper,
    ...(ourHelperWithoutPolling === undefined ? [] : [ourHelperWithoutPolling]),
    referenceHelper,
    minimalNode,
    minimalNodePolling,
    ...minimalLoops(),
  ];
  // many short ones: the machine is faster and slower from one second to the next
  const rounds = quick ? 2 : 32;
  const free = await measureOn(contestants, rounds, quick, undefined);
  runOnCores([OTHER_CORE]);
  const apart = await measureOn(contestants, rounds, quick, SHARED_CORE, 'each on a core of its own');
  runOnCores([SHARED_CORE]);
  const shared = await measureOn(contestants, rounds, quick, SHARED_CORE);
  runOnCores(Array.from({ length: 1024 }, (_, core) => core));
  return { free, apart, shared };
}

async function measureOn(
  contestants: readonly Contestant[],
  rounds: number,
  quick: boolean,
  core: number | undefined,
  place = core === undefined ? 'one core free' : 'client and helper on one core',
): Promise<readonly ContestantResult[]> {
  const accounts = contestants.map((contestant): Account => ({
    contestant,
    samples: new Map(),
    cpu: new Map(),
  }));
  // one directory for all: what a new file costs depends on where on the disk its directory is
  const exported = new Export();
  const running = contestants.map((contestant) =>
    start(contestant, exported.path, core === undefined ? {} : { core }),
  );
  try {
    for (let round = -1; round < rounds; round++) {
      progress(`raw, ${place}: ${round < 0 ? 'warming up' : `round ${round + 1} of ${rounds}`}`);
      const order = accounts.map((account, index) => ({ account, running: running[index] }));
      // who goes first changes, so that nobody always profits from what the one before left behind
      if (round % 2 === 0) order.reverse();
      for (const cycle of allCycles) {
        for (const { account, running: helper } of order) {
          if (helper === undefined) continue;
          helper.resume();
          measureCycle(account, helper, cycle, repetitions(cycle, round, quick), round);
          helper.pause();
        }
      }
    }
  } finally {
    await Promise.all(running.map((helper) => helper.stop()));
    exported.remove();
  }
  const reference = accounts.find(({ contestant }) => contestant === referenceHelper);
  return reference === undefined ? [] : accounts.map((account) => summary(account, reference));
}

/** Many at a time, since a helper that waited is slow at first; more to warm up, until V8 has compiled what is used. */
function repetitions(cycle: Cycle, round: number, quick: boolean): number {
  const requests = round < 0 ? 20_000 : quick ? 300 : 500;
  return Math.ceil(requests / cycle.steps.length);
}

function measureCycle(
  account: Account,
  { client, cpu }: Running,
  cycle: Cycle,
  count: number,
  round: number,
): void {
  const times = new Times(cycle, count);
  const before = cpu.now();
  repeat(client, cycle, count, times);
  const used = cpu.now() - before;
  if (round < 0) return;
  // some requests are in a cycle twice, or in several
  cycle.steps.forEach(({ name }, index) => {
    const rounds = account.samples.get(name) ?? [];
    rounds[round] = [...(rounds[round] ?? []), ...times.ofStep(index)];
    account.samples.set(name, rounds);
  });
  const perRequest = account.cpu.get(cycle.name) ?? [];
  perRequest.push(used / (count * cycle.steps.length));
  account.cpu.set(cycle.name, perRequest);
}

function summary(account: Account, reference: Account): ContestantResult {
  const { key, title } = account.contestant;
  const latency = [...account.samples].map(([name, rounds]) => {
    const medians = rounds.map((times) => median(times));
    const p99 = percentile(rounds.flat(), 0.99);
    const theirs = reference.samples.get(name)?.map((times) => median(times)) ?? [];
    return [name, { p50: median(medians), p99, relative: medianRatio(medians, theirs) }] as const;
  });
  const cpu = [...account.cpu].map(([name, rounds]) => [name, median(rounds)] as const);
  const relativeCpu = [...account.cpu].map(
    ([name, rounds]) => [name, medianRatio(rounds, reference.cpu.get(name) ?? [])] as const,
  );
  return {
    key,
    title,
    latency: Object.fromEntries(latency),
    cpu: Object.fromEntries(cpu),
    relativeCpu: Object.fromEntries(relativeCpu),
  };
}
