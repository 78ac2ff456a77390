import { table, twoDigits } from './table.js';
import type { Target } from './targets.js';

/** Everything that is above a target, beside the least that is possible. */
export function limitChapter(targets: readonly Target[]): string {
  const rows = targets.flatMap(({ target, missed = [] }) =>
    missed.map(({ name, ratio, limits }, index) => [
      index === 0 ? target : '',
      name === target ? '' : name,
      twoDigits(ratio),
      twoDigits(limits?.node),
      twoDigits(limits?.loop),
    ]),
  );
  if (rows.length === 0) return '';
  return `## What was missed, beside the limits

Ratios as of the targets. The loops are those that wait as we do: where we poll, those that poll. Of the
9P server it is the minimal C pair.

${table(['target', 'what', 'ours', 'minimal Node loop', 'minimal C loop'], rows, 2)}`;
}
