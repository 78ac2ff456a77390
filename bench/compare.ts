/** Compares builds of the helper in one run, each with the first: `npx tsc -p bench && node .cache/bench/bench/compare.js OLD/main.js NEW/main.js`. */
import { type ChildProcess, fork } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type Contestant, ended, Export, launch, type Running, start } from './contestants.js';
import type { Order, Report } from './client/busy-client.js';
import { cycles, lookingMix, lstatOf, mix } from './client/cycles.js';
import { repeat, run, Times } from './client/measure.js';
import { BlockingClient } from './client/blocking-client.js';
import { Clock, connectedPair, runOnCores } from './libc.js';
import { progress } from './progress.js';
import { median, sum } from './statistics.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    starts: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '20' },
    busy: { type: 'string', default: '16,32' },
    cycles: { type: 'string' },
  },
});
if (positionals.length < 2) throw new Error('usage: compare OLD/main.js NEW/main.js...');
const starts = Number(values.starts);
const rounds = Number(values.rounds);

/** Client and helper share it. */
const CORE = 1;
const WARM_UP = 20_000;
const REQUESTS = 400;
const BUSY_ROUNDS = 10;
const BUSY_MS = 300;

const builds = positionals.map((main, index): Contestant => ({
  key: String(index),
  title: main,
  argv: (exported) => [
    process.execPath,
    path.resolve(main),
    ...['-n', '-p', exported, '-f', '3', '--log-level', 'error'],
  ],
}));

/** Old new new old: whatever gets slower or faster meanwhile does so for all. */
const turns = [...builds.keys(), ...[...builds.keys()].reverse()];

/** What was measured of each build, by name. Values of one place in the lists were measured side by side. */
type Samples = Map<string, number[]>[];

function record(samples: Samples, build: number, name: string, value: number): void {
  const all = samples[build];
  const list = all?.get(name) ?? [];
  list.push(value);
  all?.set(name, list);
}

const newSamples = (): Samples => builds.map(() => new Map<string, number[]>());

/** Middle half of the ratios of what was measured side by side. */
function table(title: string, samples: Samples): void {
  process.stdout.write(`\n${title}\n`);
  const [first, ...others] = samples;
  for (const [name, base] of first ?? []) {
    const columns = others.map((other) => {
      const ratios = (other.get(name) ?? []).map((value, at) => value / (base[at] ?? NaN));
      return median(ratios).toFixed(3);
    });
    process.stdout.write(
      `${name.padEnd(24)} ${median(base).toFixed(2).padStart(10)}  ${columns.join('  ')}\n`,
    );
  }
}

const chosen = [...cycles, mix].filter(({ name }) => values.cycles?.split(',').includes(name) ?? true);

/** Processor time per request and p50 of each cycle, on one core. */
async function measureRequests(exported: string): Promise<void> {
  const cpu = newSamples();
  const p50 = newSamples();
  runOnCores([CORE]);
  for (let round = 0; round < starts; round++) {
    progress(`requests: start ${round + 1} of ${starts}`);
    const running: Running[] = [];
    for (const build of builds) running.push(start(build, exported, { core: CORE }));
    for (const cycle of chosen) {
      const count = Math.ceil(REQUESTS / cycle.steps.length);
      for (const { client } of running) run(client, cycle, WARM_UP / cycle.steps.length);
      const used = running.map((): number[] => []);
      const times = running.map((): number[] => []);
      for (let turn = 0; turn < rounds; turn++) {
        for (const build of turns) {
          const helper = running[build];
          if (helper === undefined) continue;
          const taken = new Times(cycle, count);
          const before = helper.cpu.now();
          repeat(helper.client, cycle, count, taken);
          used[build]?.push((helper.cpu.now() - before) / (count * cycle.steps.length));
          times[build]?.push(median(cycle.steps.flatMap((_, step) => [...taken.ofStep(step)])));
        }
      }
      for (const build of builds.keys()) {
        record(cpu, build, cycle.name, median(used[build] ?? []) / 1000);
        record(p50, build, cycle.name, median(times[build] ?? []) / 1000);
      }
    }
    await Promise.all(running.map((helper) => helper.stop()));
  }
  runOnCores([0, 1]);
  table('processor time per request on one core: µs, ratio', cpu);
  table('p50 on one core: µs, ratio', p50);
}

function ask(client: ChildProcess, order: Order): Promise<Report> {
  return new Promise((resolve) => {
    client.once('message', (report) => {
      resolve(report as Report);
    });
    client.send(order);
  });
}

/** Requests per second, and processor time per request, of many helpers with a client process each. */
async function measureBusy(exported: string, count: number): Promise<void> {
  progress(`busy: ${count} helpers`);
  const rate = newSamples();
  const cpu = newSamples();
  const helpers = builds.map((build) =>
    Array.from({ length: count }, () => {
      const helper = start(build, exported);
      run(helper.client, lookingMix, WARM_UP / lookingMix.steps.length);
      return helper;
    }),
  );
  const clients = Array.from({ length: count }, (_, index) =>
    fork(path.join(import.meta.dirname, 'client', 'busy-client.js'), [], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...helpers.map((all) => all[index]?.client.fd ?? -1)],
    }),
  );
  for (let round = -1; round < BUSY_ROUNDS; round++) {
    const rates = builds.map((): number[] => []);
    const used = builds.map((): number[] => []);
    for (const build of turns) {
      const total = (): number => sum((helpers[build] ?? []).map((helper) => helper.cpu.now()));
      const before = total();
      const order: Order = { descriptor: 4 + build, milliseconds: BUSY_MS };
      const reports = await Promise.all(clients.map((client) => ask(client, order)));
      const perSecond = sum(reports.map((report) => report.requestsPerSecond));
      rates[build]?.push(perSecond);
      used[build]?.push((total() - before) / 1000 / ((perSecond * BUSY_MS) / 1000));
    }
    if (round < 0) continue;
    for (const build of builds.keys()) {
      record(rate, build, `${count} busy`, sum(rates[build] ?? []));
      record(cpu, build, `${count} busy`, sum(used[build] ?? []) / 2);
    }
  }
  for (const client of clients) client.disconnect();
  await Promise.all(clients.map(ended));
  await Promise.all(helpers.flat().map((helper) => helper.stop()));
  table('requests per second of many: ratio', rate);
  table('their processor time per request: µs, ratio', cpu);
}

/** From exec to the first answer; and what one idle helper has in memory. */
async function measureStarts(exported: string): Promise<void> {
  const clock = Clock.monotonic();
  const samples = newSamples();
  const memory = newSamples();
  for (let round = 0; round < 2 * starts; round++) {
    for (const build of turns) {
      const contestant = builds[build];
      if (contestant === undefined) continue;
      const [ours, theirs] = connectedPair();
      const client = new BlockingClient(ours);
      const before = clock.now();
      const child = launch(contestant, exported, theirs);
      client.exchange(lstatOf('/'));
      record(samples, build, 'to the first answer, ms', (clock.now() - before) / 1e6);
      const pid = child.pid ?? 0;
      record(samples, build, 'processor time, ms', Clock.cpuOf(pid).now() / 1e6);
      await new Promise((resolve) => setTimeout(resolve, 100));
      const rollup = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
      const kilobytes = (line: string): number =>
        Number(new RegExp(`^${line}:\\s+(\\d+)`, 'm').exec(rollup)?.[1]);
      record(
        memory,
        build,
        'private memory, MB',
        (kilobytes('Private_Dirty') + kilobytes('Private_Clean')) / 1024,
      );
      client.close();
      await ended(child);
    }
  }
  table('start: ratio', samples);
  table('memory: ratio', memory);
}

const exported = new Export();
try {
  await measureRequests(exported.path);
  if (starts > 0) await measureStarts(exported.path);
  for (const count of values.busy.split(',').map(Number))
    if (count > 0) await measureBusy(exported.path, count);
} finally {
  exported.remove();
}
