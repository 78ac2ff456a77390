import { type ChildProcess, fork } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import {
  type Contestant,
  ended,
  Export,
  minimalLoops,
  ourHelper,
  referenceHelper,
  type Running,
  start,
} from './contestants.js';
import type { Step } from './client/blocking-client.js';
import { createAndRemove, lookingMix, lstatOf } from './client/cycles.js';
import { repeat, run, Times } from './client/measure.js';
import type { Order, Report } from './client/busy-client.js';
import { close } from './libc.js';
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

/** The minimal C loop, too, where there is a compiler. */
export type ManyOf = Pair<ManyResult> & { readonly loop: ManyResult | undefined };

export interface ScaleResult {
  readonly many: readonly ManyOf[];
  /** p50 of lstat in nanoseconds, by the depth of the path. */
  readonly depth: readonly ({ readonly depth: number } & Pair<number>)[];
  /** p50 of lstat, and of create and remove, in a directory with so many entries. */
  readonly entries: readonly ({ readonly entries: number } & Pair<EntryResult>)[];
  readonly idle: IdleResult;
  /** From SIGTERM under constant load to the end of the session, in milliseconds: median and longest. */
  readonly signal: { readonly median: number; readonly longest: number; readonly rounds: number };
}

export interface EntryResult {
  readonly lstat: number;
  readonly create: number;
  readonly remove: number;
}

export interface IdleResult {
  readonly helpers: number;
  readonly seconds: number;
  /** Of all together: CPU time in ms, and how often any thread of theirs ran. */
  readonly cpu: number;
  readonly wakeUps: number;
}

/** Cycles of requests that each of many helpers answers before they are measured. */
const WARM_UP = 1000;
/** A helper is idle after this time: about eight seconds after the last work V8 collects its garbage, once. */
const SETTLE_MS = 15_000;

/** Of many at once. */
const contestants = [ourHelper, referenceHelper, ...minimalLoops().slice(0, 1)] as const;

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
      // until V8 has compiled what is used: helpers live for as long as their guests
      run(helper.client, lookingMix, quick ? 100 : WARM_UP);
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
    for (let round = 0; round <= (quick ? 1 : 4); round++) {
      for (const [index, perContestant] of results.entries()) {
        const order: Order = { descriptor: 4 + index, milliseconds: quick ? 300 : 1000 };
        const reports = await Promise.all(clients.map((client) => ask(client, order)));
        if (round > 0) perContestant.push(together(reports, count));
      }
    }
  } finally {
    for (const client of clients) client.disconnect();
    await Promise.all(clients.map(ended));
    await Promise.all(helpers.flat().map((helper) => helper.stop()));
  }
  const [ours = [], reference = [], loop] = results;
  return { ours: medianOf(ours), reference: medianOf(reference), loop: loop && medianOf(loop) };
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
  for (let round = 0; round <= rounds; round++) {
    for (const [index, helper] of helpers.entries()) {
      const times = new Times(cycle, 100);
      repeat(helper.client, cycle, 100, times);
      if (round > 0) steps.forEach((_, step) => samples[index]?.[step]?.push(...times.ofStep(step)));
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

async function measureIdle(exported: string, count: number, seconds: number): Promise<IdleResult> {
  progress(`scale: ${count} idle for ${seconds} s`);
  const helpers = Array.from({ length: count }, () => start(ourHelper, exported));
  try {
    await pause(seconds === 1 ? 1000 : SETTLE_MS);
    const cpu = (): number => sum(helpers.map((helper) => helper.cpu.now())) / 1e6;
    const switches = (): number => sum(helpers.map(({ pid }) => contextSwitches(pid)));
    const before = { cpu: cpu(), switches: switches() };
    await pause(seconds * 1000);
    return { helpers: count, seconds, cpu: cpu() - before.cpu, wakeUps: switches() - before.switches };
  } finally {
    await Promise.all(helpers.map((helper) => helper.stop()));
  }
}

function contextSwitches(pid: number): number {
  const tasks = fs.readdirSync(`/proc/${pid}/task`);
  return sum(
    tasks.map((task) => {
      const status = fs.readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8');
      return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
    }),
  );
}

async function measureSignal(exported: string, rounds: number): Promise<ScaleResult['signal']> {
  progress('scale: a signal under constant load');
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) times.push(await signalTime(ourHelper, exported));
  return { median: median(times), longest: Math.max(...times), rounds };
}

/** Keeps asking until the helper is gone. */
async function signalTime(contestant: Contestant, exported: string): Promise<number> {
  const helper = start(contestant, exported);
  const request = lstatOf('/work/file');
  const until = performance.now() + 50;
  while (performance.now() < until) helper.client.exchange(request);
  process.kill(helper.pid, 'SIGTERM');
  const sent = performance.now();
  try {
    for (;;) {
      const descriptor = helper.client.exchange(request);
      if (descriptor >= 0) close(descriptor);
    }
  } catch {
    const elapsed = performance.now() - sent;
    await helper.stop();
    return elapsed;
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
