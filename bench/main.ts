/** Measures everything and writes docs/benchmarks.md: what `scripts/bench` runs. */
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { repositoryRoot } from '../harness/guest/repository.js';
import { measureAllocations } from './allocations.js';
import { measureGuest, measureProxyGuest } from './guest/guest.js';
import { describeMachine } from './machine.js';
import { measureNinep } from './ninep/ninep.js';
import { measureStall } from './ninep/stall.js';
import { progress } from './progress.js';
import { measureRaw } from './raw.js';
import { writeReport } from './report/document.js';
import type { Results } from './results.js';
import { measureScale } from './scale.js';
import { measureStartup } from './startup.js';
import { measureSystemCalls } from './system-calls.js';

const parts = {
  guest: measureGuest,
  proxyGuest: measureProxyGuest,
  raw: measureRaw,
  scale: measureScale,
  ninep: measureNinep,
  stall: measureStall,
  startup: measureStartup,
  systemCalls: measureSystemCalls,
  allocations: measureAllocations,
};
type Part = keyof typeof parts;

/** What the command line asks for. */
interface Asked {
  readonly quick: boolean;
  /** What is to be measured; undefined for a report alone. */
  readonly chosen: readonly Part[] | undefined;
  /** Whether the figures of other parts stay. */
  readonly addsTo: boolean;
}

/** Reads the command line, or ends with what is wrong with it. */
function asked(): Asked {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string' },
        'report-only': { type: 'boolean', default: false },
      },
    });
    const { quick, only, 'report-only': reportOnly } = values;
    const chosen = only?.split(',') ?? Object.keys(parts);
    const unknown = chosen.find((part) => !Object.hasOwn(parts, part));
    if (unknown !== undefined)
      throw new Error(`--only ${unknown}: there is ${Object.keys(parts).join(', ')}`);
    return {
      quick,
      chosen: reportOnly ? undefined : (chosen as Part[]),
      addsTo: reportOnly || only !== undefined,
    };
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message} (see scripts/bench --help)\n`);
    process.exit(2);
  }
}

const { quick, chosen, addsTo } = asked();
// a quick run is to try the programs: its figures say nothing, and do not replace those of a whole one
const place = path.join(repositoryRoot, quick ? '.cache/bench/quick' : 'docs');
const saved = path.join(place, 'benchmarks', 'results.json');

let results = addsTo ? load() : undefined;
if (chosen !== undefined) {
  for (const part of chosen) {
    const machine = await describeMachine();
    const measured = await parts[part](quick);
    if (measured === undefined) {
      progress(`${part}: left out, since what it needs is missing`);
      continue;
    }
    const { date, busyCores } = machine;
    const when = { ...results?.measured, [part]: { date, busyCores } };
    results = { ...results, quick, machine, measured: when, [part]: measured };
    save(results);
  }
}
if (results === undefined) throw new Error('nothing was measured yet');
writeReport(results, place);
progress(
  `written: ${path.relative(repositoryRoot, path.join(place, 'benchmarks.md'))}, and beside it its plots, results and targets`,
);

/** One line for each part: it is kept with the report, whose parts are not all measured at once. */
function save(all: Results): void {
  const lines = Object.entries(all).map(
    ([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`,
  );
  fs.mkdirSync(path.dirname(saved), { recursive: true });
  fs.writeFileSync(saved, `{\n${lines.join(',\n')}\n}\n`);
}

function load(): Results | undefined {
  return fs.existsSync(saved) ? (JSON.parse(fs.readFileSync(saved, 'utf8')) as Results) : undefined;
}
