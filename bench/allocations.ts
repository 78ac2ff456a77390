import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Export, ourHelper, type Running, start } from './contestants.js';
import { type Cycle, cycles, mix } from './client/cycles.js';
import { run } from './client/measure.js';
import { progress } from './progress.js';

export interface Allocation {
  readonly name: string;
  readonly requests: number;
  /** Collections of the young generation, each when about a semi-space of it was full, and full collections. */
  readonly scavenges: number;
  readonly fullCollections: number;
  /** What was allocated between the first collection and the last, per request, in bytes; below `resolution` is 0. */
  readonly bytesPerRequest: number;
}

export interface AllocationResult {
  readonly byCycle: readonly Allocation[];
  /** Heap in use after the last collection less that after the first, in MB. */
  readonly heapGrowth: number;
}

interface Collection {
  readonly full: boolean;
  readonly before: number;
  readonly after: number;
}

/** Counts the collections of the helper's garbage over a million requests, a part of them for each operation. */
export async function measureAllocations(quick: boolean): Promise<AllocationResult> {
  const exported = new Export();
  const log = path.join(os.tmpdir(), `virtfs-bench-${process.pid}.gc`);
  const output = fs.openSync(log, 'w');
  // --trace-gc itself is not allowed in NODE_OPTIONS, and the arguments of node do not reach the serving program
  const preloaded = path.join(os.tmpdir(), `virtfs-bench-${process.pid}.cjs`);
  fs.writeFileSync(preloaded, "require('node:v8').setFlagsFromString('--trace-gc');");
  // a young generation of 1 MB, so that one byte per request shows over a million of them
  const options = `--require=${preloaded} --max-semi-space-size=1`;
  const environment = { ...process.env, NODE_OPTIONS: options };
  const helper = start(ourHelper, exported.path, { environment, output });
  try {
    const warm = quick ? 5_000 : 30_000;
    const large = quick ? 50_000 : 1_000_000;
    const small = quick ? 10_000 : 50_000;
    for (const cycle of [mix, ...cycles]) run(helper.client, cycle, Math.ceil(warm / cycle.steps.length / 4));
    run(helper.client, mix, Math.ceil(warm / mix.steps.length));
    const byCycle: Allocation[] = [];
    const first = collections(log).at(-1)?.after ?? 0;
    for (const cycle of [mix, ...cycles]) {
      const requests = cycle === mix ? large : small;
      progress(`allocations: ${requests} requests of ${cycle.name}`);
      byCycle.push(measureCycle(helper, cycle, requests, log));
    }
    const last = collections(log).at(-1)?.after ?? first;
    return { byCycle, heapGrowth: last - first };
  } finally {
    await helper.stop();
    fs.closeSync(output);
    for (const file of [log, preloaded]) fs.rmSync(file, { force: true });
    exported.remove();
  }
}

function measureCycle(helper: Running, cycle: Cycle, requests: number, log: string): Allocation {
  const before = collections(log).length;
  const repetitions = Math.ceil(requests / cycle.steps.length);
  run(helper.client, cycle, repetitions);
  // the one before the first, from whose end allocations count
  const all = collections(log).slice(Math.max(before - 1, 0));
  const during = all.slice(before > 0 ? 1 : 0);
  let allocated = 0;
  for (const [index, { before: full }] of during.entries()) allocated += full - (all[index]?.after ?? full);
  const count = repetitions * cycle.steps.length;
  return {
    name: cycle.name,
    requests: count,
    scavenges: during.filter(({ full }) => !full).length,
    fullCollections: during.filter(({ full }) => full).length,
    bytesPerRequest: (allocated * 1024 * 1024) / count,
  };
}

/** Lines of `--trace-gc` such as `[123:0x1] 45 ms: Scavenge 4.3 (5.2) -> 3.9 (6.2) MB, ...`. */
function collections(log: string): Collection[] {
  return fs
    .readFileSync(log, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, kind = '', before, after] =
        /ms: (Scavenge|Mark-\w+)[^\d]*([\d.]+) \([\d.]+\) -> ([\d.]+) /.exec(line) ?? [];
      return kind === '' ? [] : [{ full: kind !== 'Scavenge', before: Number(before), after: Number(after) }];
    });
}
