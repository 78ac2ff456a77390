import type { Pair, ScaleResult } from '../scale.js';
import type { Plots } from './document.js';
import { lineChart } from './line-chart.js';
import { microseconds, ratio, table } from './table.js';

export function scalePlots(scale: ScaleResult | undefined): Plots {
  if (scale === undefined) return {};
  const both = <Value>(values: readonly Pair<Value>[], pick: (value: Value) => number) => [
    { title: 'ours', values: values.map(({ ours }) => pick(ours)) },
    { title: 'C helper', values: values.map(({ reference }) => pick(reference)) },
  ];
  return {
    'scale-helpers': lineChart(
      'Requests per second of all helpers together',
      scale.many.map(({ ours }) => ours.helpers),
      'helpers at once, each with a busy client',
      both(scale.many, ({ requestsPerSecond }) => requestsPerSecond),
    ),
    'scale-depth': lineChart(
      'lstat by depth of the path: p50 in µs',
      scale.depth.map(({ depth }) => depth),
      'directories in the path',
      both(scale.depth, (nanoseconds) => nanoseconds / 1000),
    ),
  };
}

export function scaleChapter(scale: ScaleResult | undefined): string {
  if (scale === undefined) return '';
  const { many, depth, entries, young, idle, signal } = scale;
  const manyRows = many.map(({ ours, reference, node, loop }) => [
    String(ours.helpers),
    ours.requestsPerSecond.toFixed(0),
    reference.requestsPerSecond.toFixed(0),
    loop?.requestsPerSecond.toFixed(0) ?? '',
    node.requestsPerSecond.toFixed(0),
    ratio(ours.requestsPerSecond, reference.requestsPerSecond),
    ratio(node.requestsPerSecond, reference.requestsPerSecond),
    `${microseconds(ours.p50)} / ${microseconds(ours.p99)}`,
    `${microseconds(reference.p50)} / ${microseconds(reference.p99)}`,
  ]);
  const depthRows = depth.map(({ depth: directories, ours, reference }) => [
    String(directories),
    microseconds(ours),
    microseconds(reference),
    ratio(ours, reference),
  ]);
  const youngRows = young.map(({ requests, ours, reference }, index) => [
    `${(young[index - 1]?.requests ?? 0).toLocaleString('en')} to ${requests.toLocaleString('en')}`,
    microseconds(ours),
    microseconds(reference),
    ratio(ours, reference),
  ]);
  const entryRows = entries.map(({ entries: count, ours, reference }) => [
    count.toLocaleString('en'),
    ...(['lstat', 'create', 'remove'] as const).flatMap((name) => [
      microseconds(ours[name]),
      microseconds(reference[name]),
    ]),
  ]);
  return `## Scale

Many helpers at once, each with a client process that asks without a pause (read-only requests), after each
whose code V8 compiles answered 40,000 (see "Young helpers"). p50 and p99 in µs are the median of the clients:

![requests per second](benchmarks/scale-helpers.svg)

${table(['helpers', 'ours: requests/s', 'C helper', 'minimal C loop', 'minimal Node loop', 'ours / C helper', 'Node loop / C helper', 'ours: p50 / p99', 'C helper: p50 / p99'], manyRows)}

The _minimal Node loop_ (\`bench/minimal-helper.cjs\`) is the limit of a helper in JavaScript: Node and koffi, the same
system calls, and nothing else.

### Young helpers

V8 interprets what is new, and compiles what is used often. µs per request (the same ones) of a helper that was just
started, its first ones included:

${table(['requests', 'ours', 'C helper', 'ratio'], youngRows)}

### Paths and directories

lstat by the depth of the path, p50 in µs:

![lstat by depth](benchmarks/scale-depth.svg)

${table(['directories', 'ours', 'C helper', 'ratio'], depthRows)}

In directories of many entries, p50 in µs:

${table(['entries', 'lstat: ours', 'C helper', 'create: ours', 'C helper', 'remove: ours', 'C helper'], entryRows)}

### Idle, and told to stop

${idle.helpers} idle helpers used ${idle.cpu.toFixed(2)} ms of CPU time together in ${idle.seconds} s, and their threads were
woken ${idle.wakeUps} times (from 15 s after the last request: V8 collects garbage once some 8 s after it). A SIGTERM under constant load ended the session after ${signal.median.toFixed(1)} ms (median of
${signal.rounds}; longest ${signal.longest.toFixed(1)} ms).`;
}
