import type { NinepResult, ServerResult } from '../ninep/ninep.js';
import { barChart } from './bar-chart.js';
import type { Plots } from './document.js';
import { microseconds, table, twoDigits } from './table.js';

const namesOf = (servers: readonly ServerResult[]): readonly string[] =>
  Object.keys(servers[0]?.actions ?? {});

export function ninepPlot(ninep: NinepResult | undefined): Plots {
  if (ninep === undefined) return {};
  const names = namesOf(ninep.two);
  const series = ninep.two.map(({ title, actions }) => ({
    title,
    values: names.map((name) => (known(actions[name]?.p50) ?? 0) / 1000),
  }));
  return { ninep: barChart('9P servers on two cores: p50 in µs', names, series) };
}

/** Nothing for what a server cannot do. */
const known = (value: number | undefined): number | undefined => (Number.isFinite(value) ? value : undefined);

function latencies(servers: readonly ServerResult[]): string {
  const others = servers.filter(({ key }) => key !== 'diod');
  const head = [
    'requests',
    ...servers.map(({ title }) => title),
    ...others.map(({ title }) => `${title} / diod`),
  ];
  const rows = namesOf(servers).map((name) => [
    name,
    ...servers.map(({ actions }) => microseconds(known(actions[name]?.p50))),
    ...others.map(({ actions }) => twoDigits(known(actions[name]?.relative))),
  ]);
  return table(head, rows);
}

export function ninepChapter(ninep: NinepResult | undefined): string {
  if (ninep === undefined) return '';
  const { date, busyCores, starts, two, one, footprint } = ninep;
  return `## The 9P server

\`share\` beside diod, over a unix socket, with the same client, which waits in recv(2): p50 in µs, medians of ${starts} starts of
each. A ratio is the median of those within each start. The _minimal C pair_ (\`bench/minimal-server.c\` before
\`bench/minimal-loop.c\`) is the limit of a server that asks a helper: no checks, the same trips; once asleep while it waits,
once with a server that never sleeps. On ${date}, with ${busyCores.toFixed(2)} cores busy with other work just before: where that is
not near 0, the times say nothing, and the ratios little.

Client, server and helper on two cores:

![9P servers](benchmarks/ninep.svg)

${latencies(two)}

On one core:

${latencies(one)}

${footprint.pairs} idle pairs of one \`share --keep-listening\` used ${footprint.idleCpu.toFixed(2)} ms of CPU time in ${footprint.idleSeconds} s, and their threads were woken
${footprint.wakeUps} times. With one pair all processes have ${footprint.one.toFixed(1)} MB PSS, and ${footprint.eachMore.toFixed(1)} MB more with each further pair.`;
}
