import type { StallResult, StallTimes } from '../ninep/stall.js';
import { microseconds, table, twoDigits } from './table.js';

export function stallChapter(stall: StallResult | undefined): string {
  if (stall === undefined) return '';
  const row = (title: string, { calm, stalled, ratio }: StallTimes): readonly string[] => [
    title,
    ...[calm, stalled].flatMap(({ p50, p99 }) => [microseconds(p50), microseconds(p99)]),
    twoDigits(ratio),
  ];
  const head = ['Tgetattr over', 'p50', 'p99', 'p50, a read stalls', 'p99, a read stalls', 'p99 / p99'];
  return `### While a read stalls

Tgetattr of a guest whose read of another file waits for its disk, a file system of FUSE that does not answer, in turns with
the same while it reads nothing: µs, ${stall.requests.toLocaleString('en')} requests of each kind in each of ${stall.starts} starts, medians of
the starts.

${table(head, [row('a unix socket', stall.unix), row('vhost-user', stall.vhostUser)])}`;
}
