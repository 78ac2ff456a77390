/** Measures everything and writes docs/benchmarks.md: what `scripts/bench` runs. */
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { repositoryRoot } from '../harness/guest/repository.js';
import { measureAllocations } from './allocations.js';
import { measureGuest } from './guest/guest.js';
import { describeMachine } from './machine.js';
import { measureNinep } from './ninep/ninep.js';
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
  raw: measureRaw,
  guest: measureGuest,
  scale: measureScale,
  ninep: measureNinep,
  startup: measureStartup,
  systemCalls: measureSystemCalls,
  allocations: measureAllocations,
};
type Part = keyof typeof parts;

const { quick } = values;
// a quick run is to try the programs: its figures say nothing, and do not replace those of a whole one
const place = path.join(repositoryRoot, quick ? '.cache/bench/quick' : 'docs');
const saved = path.join(repositoryRoot, '.cache', 'bench', quick ? 'quick.json' : 'results.json');

let results = values['report-only'] || values.only !== undefined ? load() : undefined;
if (!values['report-only']) {
  const chosen = (values.only?.split(',') ?? Object.keys(parts)) as Part[];
  const unknown = chosen.filter((part) => !Object.hasOwn(parts, part));
  if (unknown.length > 0) throw new Error(`no such part: ${unknown.join(', ')}`);
  results = { ...results, quick, pieced: values.only !== undefined, machine: await describeMachine() };
  for (const part of chosen) {
    results = { ...results, [part]: await parts[part](quick) };
    fs.writeFileSync(saved, JSON.stringify(results));
  }
}
if (results === undefined) throw new Error('nothing was measured yet');
writeReport(results, place);
progress(`written: ${path.relative(repositoryRoot, path.join(place, 'benchmarks.md'))}`);

function load(): Results | undefined {
  return fs.existsSync(saved) ? (JSON.parse(fs.readFileSync(saved, 'utf8')) as Results) : undefined;
}
