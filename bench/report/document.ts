import fs from 'node:fs';
import path from 'node:path';
import type { Results } from '../results.js';
import { guestChapter, guestPlot } from './guest-chapter.js';
import { allocationChapter, startupChapter, systemCallChapter } from './lean-chapters.js';
import { reasonsFor } from './reasons.js';
import { limitChapter } from './limit-chapter.js';
import { rawChapter, rawPlots } from './raw-chapter.js';
import { ninepChapter, ninepPlot } from './ninep-chapter.js';
import { scaleChapter, scalePlots } from './scale-chapter.js';
import { table } from './table.js';
import { targets } from './targets.js';

/** A plot by the name of its file. */
export type Plots = Readonly<Record<string, string>>;

/** Writes `benchmarks.md` and its plots to a directory. */
export function writeReport(results: Results, place: string): void {
  const plots: Plots = {
    ...rawPlots(results.raw),
    ...guestPlot(results.guest),
    ...scalePlots(results.scale),
    ...ninepPlot(results.ninep),
  };
  const directory = path.join(place, 'benchmarks');
  fs.mkdirSync(directory, { recursive: true });
  for (const [name, drawing] of Object.entries(plots)) {
    fs.writeFileSync(path.join(directory, `${name}.svg`), drawing);
  }
  const chapters = [
    introduction(results),
    targetChapter(results),
    rawChapter(results.raw),
    guestChapter(results.guest),
    scaleChapter(results.scale),
    ninepChapter(results.ninep),
    startupChapter(results.startup),
    systemCallChapter(results.systemCalls),
    allocationChapter(results.allocations),
  ];
  fs.writeFileSync(path.join(place, 'benchmarks.md'), `${chapters.filter(Boolean).join('\n\n')}\n`);
}

/** A machine with more busy cores than this before the run is not calm. */
const CALM = 0.2;

function introduction({ machine, quick, pieced }: Results): string {
  const rows = [
    [
      'CPU',
      `${machine.cpu}, ${machine.cores} cores${machine.virtualized ? ', itself a virtual machine' : ''}`,
    ],
    ['memory', `${machine.memory} GB`],
    ['kernel', machine.kernel],
    ['file system of the export', machine.fileSystem],
    ['Node.js', machine.node],
    ['QEMU, C helper, virtiofsd', machine.qemu],
    ['busy before the run', `${machine.busyCores.toFixed(2)} of ${machine.cores} cores`],
    ['date', machine.date],
  ];
  const warning = quick
    ? '\n\n**From a quick run: the figures say nothing.**'
    : machine.busyCores > CALM
      ? '\n\n**The machine was busy with other work when the run began: no core was free, and the figures are rough.**'
      : '';
  return `# Benchmarks

Written by \`scripts/bench\`: everything below comes from ${pieced ? 'the same machine, some parts measured later than others' : 'one run on one machine'};
whatever is compared took turns. _C helper_ is QEMU's own \`virtfs-proxy-helper\`.${warning}

${table(['machine', ''], rows, 2)}`;
}

function targetChapter(results: Results): string {
  const all = targets(results);
  const reasons = [reasonsFor(all), limitChapter(all)].filter(Boolean).join('\n\n');
  const rows = all.map(({ target, measured, met }) => [
    target,
    measured,
    met === undefined ? '—' : met ? 'met' : '**missed**',
  ]);
  return `## Targets

${table(['target', 'measured', ''], rows, 3)}${reasons === '' ? '' : `\n\n${reasons}`}`;
}
