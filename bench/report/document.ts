import fs from 'node:fs';
import path from 'node:path';
import type { Results } from '../results.js';
import { guestChapter, guestPlots } from './guest-chapter.js';
import { allocationChapter, startupChapter, systemCallChapter } from './lean-chapters.js';
import { reasonsFor } from './reasons.js';
import { limitChapter } from './limit-chapter.js';
import { rawChapter, rawPlots } from './raw-chapter.js';
import { ninepChapter, ninepPlot } from './ninep-chapter.js';
import { stallChapter } from './stall-chapter.js';
import { scaleChapter, scalePlots } from './scale-chapter.js';
import { table } from './table.js';
import { targets } from './targets.js';

/** A plot by the name of its file. */
export type Plots = Readonly<Record<string, string>>;

/** Writes `benchmarks.md` and its plots to a directory. */
export function writeReport(results: Results, place: string): void {
  const plots: Plots = {
    ...guestPlots(results),
    ...rawPlots(results.raw),
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
    guestChapter(results),
    rawChapter(results.raw),
    scaleChapter(results.scale),
    ninepChapter(results.ninep),
    stallChapter(results.stall),
    startupChapter(results.startup),
    systemCallChapter(results.systemCalls),
    allocationChapter(results.allocations),
    machineChapter(results),
  ];
  writeChapters(path.join(place, 'benchmarks.md'), chapters);
  writeChapters(path.join(directory, 'targets.md'), targetChapters(results));
}

function writeChapters(file: string, chapters: readonly string[]): void {
  fs.writeFileSync(file, `${chapters.filter(Boolean).join('\n\n')}\n`);
}

/** A machine with more busy cores than this before the run is not calm. */
const CALM = 0.2;

function introduction({ quick, measured }: Results): string {
  const disturbed = Object.keys(measured).filter((part) => (measured[part]?.busyCores ?? 0) > CALM);
  const warning = quick
    ? '\n\n**From a quick run: the figures say nothing.**'
    : disturbed.length > 0
      ? `\n\n**The machine was busy with other work when these began, and their figures are rough: ${disturbed.join(', ')}.**`
      : '';
  return `# Benchmarks

Written by \`scripts/bench\`; whatever is compared took turns. _C helper_ is QEMU's own \`virtfs-proxy-helper\`, _ours_ this
project. What the developers aimed at, and missed, is a [page of its own](benchmarks/targets.md).${warning}`;
}

function machineChapter({ machine, measured }: Results): string {
  const rows = [
    [
      'CPU',
      `${machine.cpu}, ${machine.cores} cores${machine.virtualized ? ', itself a virtual machine' : ''}`,
    ],
    ['memory', `${machine.memory} GB`],
    ['kernel', machine.kernel],
    ['file system of the export', machine.fileSystem],
    ['Node.js', machine.node],
    ['QEMU with the C helper, virtiofsd in C', machine.qemu],
  ];
  const parts = Object.entries(measured).map(([part, { date, busyCores }]) => [
    part,
    date,
    `${busyCores.toFixed(2)} of ${machine.cores}`,
  ]);
  return `## The machine

${table(['of the last run', ''], rows, 2)}

${table(['part of `scripts/bench`', 'measured', 'cores busy before'], parts, 2)}`;
}

function targetChapters(results: Results): readonly string[] {
  const all = targets(results);
  const rows = all.map(({ target, measured, met }) => [
    target,
    measured,
    met === undefined ? '—' : met ? 'met' : '**missed**',
  ]);
  const introduction = `# Targets

What the developers aimed at, by the figures of the [benchmarks](../benchmarks.md).`;
  return [introduction, table(['target', 'measured', ''], rows, 3), reasonsFor(all), limitChapter(all)];
}
