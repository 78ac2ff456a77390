import { type ChildProcess, fork } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import {
  type Contestant,
  ended,
  Export,
  minimalLoops,
  minimalNode,
  ourHelper,
  referenceHelper,
  type Running,
  start,
} from './contestants.js';
import type { Step } from './client/blocking-client.js';
import { createAndRemove, type Cycle, lookingMix, lstatOf } from './client/cycles.js';
import { repeat, run, Times } from './client/measure.js';
import type { Order, Report } from './client/busy-client.js';
import { type IdleResult, measureIdle, measureSignal, type SignalResult } from './idle.js';
import { progress } from './progress.js';
import { median, percentile, sum } from './statistics.js';

export interface ManyResult {
  readonly helpers: number;
  /** Of all helpers together. */
  readonly requestsPerSecond: number;
  readonly p50: number;
  readonly p99: number;
}

export interface Pair<Result> {
  readonly ours: Result;
  readonly reference: Result;
}

/** The minimal loops, too: in Node, and in C where there is a compiler. */
export type ManyOf = Pair<ManyResult> & { readonly node: ManyResult; readonly loop: ManyResult | undefined };

export interface ScaleResult {
  readonly many: readonly ManyOf[];
  /** p50 of lstat in nanoseconds, by the depth of the path. */
  readonly depth: readonly ({ readonly depth: number } & Pair<number>)[];
  /** p50 of lstat, and of create and remove, in a directory with so many entries. */
  readonly entries: readonly ({ readonly entries: number } & Pair<EntryResult>)[];
  /** Nanoseconds of a request while a helper is new: of those up to `requests`, from the row before. */
  readonly young: readonly ({ readonly requests: number } & Pair<number>)[];
  readonly idle: IdleResult;
  readonly signal: SignalResult;
}

export interface EntryResult {
  readonly lstat: number;
  readonly create: number;
  readonly remove: number;
}

/**
 * Requests that a helper answers before it is measured, until V8 has compiled what is used: helpers live for as long as
 * their guests.
 */
const WARM_UP = 40_000;
/** Short turns, as the speed of the machine itself changes from second to second. */
const MANY_ROUNDS = 12;
const MANY_ROUND_MS = 400;
/** Those that are slow when they are new. */
const compiledByV8: ReadonlySet<Contestant> = new Set([ourHelper, minimalNode]);

/** Of many at once. */
const contestants = [ourHelper, referenceHelper, minimalNode, ...minimalLoops().slice(0, 1)] as const;

export async function measureScale(quick: boolean): Promise<ScaleResult> {
  const exported = new Export();
  try {
    const many: ManyOf[] = [];
    for (const count of quick ? [1, 4] : [1, 4, 16, 32, 64]) {
      many.push(await measureMany(exported.path, count, quick));
    }
    return {
      many,
      depth: await measureDepth(exported.path, quick),
      entries: await measureEntries(exported.path, quick),
      young: await measureYoung(exported.path, quick),
      idle: await measureIdle(exported.path, quick ? 4 : 32, quick ? 1 : 5),
      signal: await measureSignal(exported.path, quick ? 3 : 15),
    };
  } finally {
    exported.remove();
  }
}

/** Each helper has a client process of its own; all kinds run in turns. */
async function measureMany(exported: string, count: number, quick: boolean): Promise<ManyOf> {
  progress(`scale: ${count} at once`);
  const results = contestants.map((): ManyResult[] => []);
  const helpers = contestants.map((contestant) =>
    Array.from({ length: count }, () => {
      const helper = start(contestant, exported);
      if (compiledByV8.has(contestant)) warmUp(helper, lookingMix, quick);
      return helper;
    }),
  );
  const clients = Array.from({ length: count }, (_, index) =>
    fork(path.join(import.meta.dirname, 'client', 'busy-client.js'), [], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...helpers.map((all) => all[index]?.client.fd ?? -1)],
    }),
  );
  try {
    // the first round warms up
    for (let round = 0; round <= (quick ? 1 : MANY_ROUNDS); round++) {
      for (const [index, perContestant] of results.entries()) {
        const order: Order = { descriptor: 4 + index, milliseconds: MANY_ROUND_MS };
        const reports = await Promise.all(clients.map((client) => ask(client, order)));
        if (round > 0) perContestant.push(together(reports, count));
      }
    }
  } finally {
    for (const client of clients) client.disconnect();
    await Promise.all(clients.map(ended));
    await Promise.all(helpers.flat().map((helper) => helper.stop()));
  }
  const [ours = [], reference = [], node = [], loop] = results;
  return {
    ours: medianOf(ours),
    reference: medianOf(reference),
    node: medianOf(node),
    loop: loop && medianOf(loop),
  };
}

function warmUp({ client }: Running, cycle: Cycle, quick: boolean): void {
  run(client, cycle, (quick ? 800 : WARM_UP) / cycle.steps.length);
}

function ask(client: ChildProcess, order: Order): Promise<Report> {
  return new Promise((resolve, reject) => {
    const died = (): void => {
      reject(new Error('a client ended'));
    };
    client.once('exit', died);
    client.once('message', (report) => {
      client.off('exit', died);
      resolve(report as Report);
    });
    client.send(order);
  });
}

function together(reports: readonly Report[], helpers: number): ManyResult {
  return {
    helpers,
    requestsPerSecond: sum(reports.map((report) => report.requestsPerSecond)),
    p50: median(reports.map((report) => report.p50)),
    p99: median(reports.map((report) => report.p99)),
  };
}

function medianOf(rounds: readonly ManyResult[]): ManyResult {
  return {
    helpers: rounds[0]?.helpers ?? 0,
    requestsPerSecond: median(rounds.map((round) => round.requestsPerSecond)),
    p50: median(rounds.map((round) => round.p50)),
    p99: median(rounds.map((round) => round.p99)),
  };
}

async function withBoth<Result>(
  exported: string,
  use: (helpers: readonly [Running, Running]) => Result,
): Promise<Result> {
  const helpers = [start(ourHelper, exported), start(referenceHelper, exported)] as const;
  try {
    return use(helpers);
  } finally {
    await Promise.all(helpers.map((helper) => helper.stop()));
  }
}

/** p50 of each step, both helpers in turns. */
function inTurns(
  helpers: readonly [Running, Running],
  steps: readonly Step[],
  quick: boolean,
): Pair<readonly number[]> {
  const cycle = { name: 'scale', steps };
  const rounds = quick ? 2 : 8;
  const samples = helpers.map(() => steps.map((): number[] => []));
  for (const helper of helpers) warmUp(helper, cycle, quick);
  for (let round = 0; round < rounds; round++) {
    for (const [index, helper] of helpers.entries()) {
      const times = new Times(cycle, 100);
      repeat(helper.client, cycle, 100, times);
      steps.forEach((_, step) => samples[index]?.[step]?.push(...times.ofStep(step)));
    }
  }
  const [ours = [], reference = []] = samples.map((ofSteps) => ofSteps.map((all) => percentile(all, 0.5)));
  return { ours, reference };
}

async function measureDepth(exported: string, quick: boolean): Promise<ScaleResult['depth']> {
  progress('scale: depth of the path');
  const depths = quick ? [1, 64] : [1, 2, 4, 8, 16, 32, 64];
  fs.mkdirSync(path.join(exported, ...Array<string>(64).fill('d')), { recursive: true });
  return withBoth(exported, (helpers) =>
    depths.map((depth) => {
      const { ours, reference } = inTurns(helpers, [lstatOf('/d'.repeat(depth))], quick);
      return { depth, ours: ours[0] ?? NaN, reference: reference[0] ?? NaN };
    }),
  );
}

async function measureEntries(exported: string, quick: boolean): Promise<ScaleResult['entries']> {
  const sizes = quick ? [10, 1000] : [10, 100, 1000, 10_000, 100_000];
  for (const size of sizes) {
    progress(`scale: making a directory of ${size} entries`);
    const directory = path.join(exported, `of-${size}`);
    fs.mkdirSync(directory);
    for (let entry = 0; entry < size; entry++) {
      fs.closeSync(fs.openSync(path.join(directory, `entry-${entry}`), 'wx'));
    }
  }
  return withBoth(exported, (helpers) =>
    sizes.map((entries) => {
      const place = `/of-${entries}`;
      const steps = [lstatOf(`${place}/entry-${entries >> 1}`), ...createAndRemove(`${place}/new`)];
      const { ours, reference } = inTurns(helpers, steps, quick);
      return { entries, ours: entryResult(ours), reference: entryResult(reference) };
    }),
  );
}

function entryResult([lstat = NaN, create = NaN, remove = NaN]: readonly number[]): EntryResult {
  return { lstat, create, remove };
}

/** The same requests as of many at once, over new helpers, several of each in turns. */
async function measureYoung(exported: string, quick: boolean): Promise<ScaleResult['young']> {
  const marks = quick ? [400, 800] : [1000, 2000, 5000, 10_000, 20_000, 40_000, 80_000];
  const rounds = quick ? 1 : 3;
  const samples = marks.map((): Pair<number[]> => ({ ours: [], reference: [] }));
  for (let round = 0; round < rounds; round++) {
    progress(`scale: young helpers, ${round + 1} of ${rounds}`);
    for (const [key, contestant] of [
      ['ours', ourHelper],
      ['reference', referenceHelper],
    ] as const) {
      const helper = start(contestant, exported);
      let done = 0;
      for (const [index, mark] of marks.entries()) {
        const before = performance.now();
        run(helper.client, lookingMix, (mark - done) / lookingMix.steps.length);
        samples[index]?.[key].push(((performance.now() - before) * 1e6) / (mark - done));
        done = mark;
      }
      await helper.stop();
    }
  }
  return marks.map((requests, index) => ({
    requests,
    ours: median(samples[index]?.ours ?? []),
    reference: median(samples[index]?.reference ?? []),
  }));
}
