import type { ContestantResult, CoreUse, RawResult } from '../raw.js';
import { barChart } from './bar-chart.js';
import type { Plots } from './document.js';
import { microseconds, table, twoDigits } from './table.js';

const titles: Readonly<Record<CoreUse, string>> = {
  free: 'One core free',
  apart: 'Client and helper each on a core of its own',
  shared: 'Client and helper on one core',
};

/** Bars above this many times the median are cut. */
const CUT = 3;

export function rawPlots(raw: RawResult | undefined): Plots {
  if (raw === undefined) return {};
  return {
    'raw-free': plot(raw, 'free'),
    'raw-apart': plot(raw, 'apart'),
    'raw-shared': plot(raw, 'shared'),
  };
}

function plot(raw: RawResult, cores: CoreUse): string {
  const shown = raw[cores].filter(({ key }) => key !== 'loop-polling' && !key.startsWith('node'));
  const names = namesOf(raw[cores]);
  const series = shown.map(({ title, latency }) => ({
    title,
    values: names.map((name) => (latency[name]?.p50 ?? 0) / 1000),
  }));
  const sorted = series.flatMap(({ values }) => values).sort((a, b) => a - b);
  const largest = Math.min(sorted.at(-1) ?? 1, (sorted[sorted.length >> 1] ?? 1) * CUT);
  return barChart(`${titles[cores]}: p50 of a round trip in µs`, names, series, largest);
}

function namesOf(contestants: readonly ContestantResult[]): readonly string[] {
  return Object.keys(contestants[0]?.latency ?? {});
}

export function rawChapter(raw: RawResult | undefined): string {
  if (raw === undefined) return '';
  return `## Round trips

A client that waits in \`recv\`, as QEMU does, sends one request after the other; no event loop, no allocation and no
check of the clock but two per request is in between. 500 requests of one kind, then the next helper, for 32 rounds, after
20,000 of each kind to warm up; all work in the same directory. A ratio is the median of the rounds' ratios, since the
machine is faster and slower from one second to the next.

_Ours_ polls as it does by default, but where it says \`--poll-us 0\`. The _minimal C loop_ is the limit: it only
receives, makes the one system call (for getversion: none; for open: those that keep it from opening a device) and sends,
without checks, change of ids or confinement; it either sleeps in \`recv\` or polls all the time (and is stopped between
its turns, or it would take a core from the others). The _minimal Node loop_ does the same through koffi: the limit of any helper in
TypeScript. _Mix_ is the life of a file as a guest's work asks for it, 20
requests long.

${coresChapter(raw, 'free')}

${coresChapter(raw, 'apart')}

${coresChapter(raw, 'shared')}`;
}

function coresChapter(raw: RawResult, cores: CoreUse): string {
  const contestants = raw[cores];
  return `### ${titles[cores]}

![p50 of each request](benchmarks/raw-${cores}.svg)

p50 and p99 in µs; ratio of the p50 to the C helper's:

${latencyTable(contestants)}

CPU time of the helper in µs per request, by group of requests (creating ones with the removal of what they made):

${cpuTable(contestants)}`;
}

function latencyTable(contestants: readonly ContestantResult[]): string {
  const head = [
    'request',
    ...contestants.flatMap(({ key, title }) => (isCompared(key) ? [title, 'ratio'] : [title])),
  ];
  const rows = namesOf(contestants).map((name) => [
    name,
    ...contestants.flatMap(({ key, latency }) => {
      const { p50, p99, relative } = latency[name] ?? {};
      const times = p50 === undefined ? '' : `${microseconds(p50)} / ${microseconds(p99)}`;
      return isCompared(key) ? [times, twoDigits(relative)] : [times];
    }),
  ]);
  return table(head, rows);
}

function isCompared(key: string): boolean {
  return key.startsWith('ours') || key.startsWith('node');
}

function cpuTable(contestants: readonly ContestantResult[]): string {
  const off = contestants.find(({ key }) => key === 'ours-off');
  const head = [
    'requests',
    ...contestants.map(({ title }) => title),
    ...(off === undefined ? [] : ['ratio, polling off']),
  ];
  const rows = Object.keys(contestants[0]?.cpu ?? {}).map((name) => [
    name,
    ...contestants.map(({ cpu }) => microseconds(cpu[name])),
    ...(off === undefined ? [] : [twoDigits(off.relativeCpu[name])]),
  ]);
  return table(head, rows);
}
