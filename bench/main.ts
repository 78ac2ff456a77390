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

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    'report-only': { type: 'boolean', default: false },
  },
});

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

const { quick } = values;
// a quick run is to try the programs: its figures say nothing, and do not replace those of a whole one
const place = path.join(repositoryRoot, quick ? '.cache/bench/quick' : 'docs');
const saved = path.join(place, 'benchmarks', 'results.json');

let results = values['report-only'] || values.only !== undefined ? load() : undefined;
if (!values['report-only']) {
  const chosen = (values.only?.split(',') ?? Object.keys(parts)) as Part[];
  const unknown = chosen.filter((part) => !Object.hasOwn(parts, part));
  if (unknown.length > 0) throw new Error(`no such part: ${unknown.join(', ')}`);
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
