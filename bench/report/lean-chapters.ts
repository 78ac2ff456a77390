import type { AllocationResult } from '../allocations.js';
import type { Memory, StartupResult } from '../startup.js';
import type { SystemCallResult } from '../system-calls.js';
import { ratio, table } from './table.js';

/** What a helper costs before and besides its requests. */
export function startupChapter(startup: StartupResult | undefined): string {
  if (startup === undefined) return '';
  const { times, memory } = startup;
  const rows = (
    [
      ['listening (a connection is accepted)', 'listening'],
      ['ready (the daemon command returns)', 'daemonReady'],
      ['first request answered', 'firstAnswer'],
    ] as const
  ).map(([name, key]) => [
    name,
    times.ours[key].toFixed(1),
    ratio(times.ours[key], times.bareNode),
    times.reference[key].toFixed(1),
  ]);
  const memoryRow = (name: string, { one, many, eachMore, privateEach }: Memory): string[] => [
    name,
    one.toFixed(1),
    String(many),
    eachMore.toFixed(1),
    privateEach.toFixed(1),
  ];
  return `## Start and memory

From exec, in ms, medians; bare \`node -e 0\` took ${times.bareNode.toFixed(1)} ms in the same run. A connection is
accepted, and waits, before the helper is ready to answer. The least that a helper in TypeScript takes to its first answer,
Node and koffi twice with an execve between (\`bench/minimal-helper.cjs\`), was ${times.limit.toFixed(1)} ms, ${ratio(times.limit, times.bareNode)} × bare node.

${table(['until', 'ours', '÷ bare node', 'C helper'], rows)}

PSS of idle helpers in MB, each after its first request (\`smaps_rollup\`; pages that several processes share count in
parts, and other Node processes ran, the measuring one among them):

${table(
  ['', 'one', 'many', 'each more', 'private of each'],
  [memoryRow('ours', memory.ours), memoryRow('C helper', memory.reference)],
)}`;
}

export function systemCallChapter(result: SystemCallResult | undefined): string {
  if (result === undefined) return '';
  const rows = Object.entries(result.ours).map(([name, { count, calls }]) => {
    const reference = result.reference[name];
    return [
      name,
      count.toFixed(1),
      (reference?.count ?? NaN).toFixed(1),
      calls.join(', '),
      (reference?.calls ?? []).join(', '),
    ].map((cell) => cell.replaceAll(/\.0$/g, ''));
  });
  return `## System calls of each request

Counted with strace, averages. Left out on both sides: waiting (\`poll\`, \`epoll\`, a receive that found nothing), which
depends on when a request comes and not on what it asks for, and V8's own memory (\`mmap\` and the like, rare). _receive_
and _send_ stand for the calls that do it.

${table(['request', 'ours', 'C helper', 'which: ours', 'which: C helper'], rows, 5)}`;
}

export function allocationChapter(result: AllocationResult | undefined): string {
  if (result === undefined) return '';
  const rows = result.byCycle.map(({ name, requests, scavenges, fullCollections, bytesPerRequest }) => [
    name,
    requests.toLocaleString('en'),
    String(scavenges),
    String(fullCollections),
    bytesPerRequest.toFixed(1),
  ]);
  return `## Allocations

Garbage collections of the serving program (\`--trace-gc\`) with the young generation limited to 1 MB, after warming up.
Where none was needed, fewer bytes per request were allocated than the 1 MB divided by the requests. Between the
first collection and the last the heap in use changed by ${result.heapGrowth.toFixed(1)} MB.

${table(['requests', 'number', 'scavenges', 'full collections', 'bytes per request'], rows)}`;
}
