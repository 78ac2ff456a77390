import type { GuestResult } from '../guest/guest.js';
import type { ShareKind } from '../guest/machine.js';
import { barChart } from './bar-chart.js';
import type { Plots } from './document.js';
import { sum } from '../statistics.js';
import { table, twoDigits } from './table.js';
import { guestRatios, workRatio } from './targets.js';

const titles: Readonly<Record<ShareKind, string>> = {
  ours: 'ours',
  reference: 'C helper',
  loop: 'minimal C loop',
  local: '`local`',
  virtiofs: 'virtiofsd',
};

/** Where a bar is cut: more is not worth making all others short for. */
const CUT = 2;

const kinds = Object.keys(titles) as ShareKind[];

export function guestPlot(guest: GuestResult | undefined): Plots {
  if (guest === undefined) return {};
  const names = Object.keys(guest.seconds.ours ?? {});
  const series = measured(guest).map((kind) => ({
    title: titles[kind].replaceAll('`', ''),
    values: names.map((name) => workRatio(guest, kind, 'reference', name)),
  }));
  return { guest: barChart('Time of the same work in a guest, over the C helper = 1', names, series, CUT) };
}

function measured(guest: GuestResult): readonly ShareKind[] {
  return kinds.filter((kind) => guest.seconds[kind] !== undefined);
}

export function guestChapter(guest: GuestResult | undefined): string {
  if (guest === undefined) return '';
  const { files, treeFiles, megabytes, slices, seconds, mounts } = guest;
  const shown = measured(guest);
  const others = shown.filter((kind) => kind !== 'ours');
  const head = [
    'work',
    ...shown.map((kind) => titles[kind]),
    ...others.map((kind) => `ours / ${titles[kind]}`),
  ];
  const rows = Object.keys(seconds.ours ?? {}).map((name) => [
    name,
    ...shown.map((kind) => sum(seconds[kind]?.[name] ?? []).toFixed(2)),
    ...others.map((kind) => twoDigits(workRatio(guest, 'ours', kind, name))),
  ]);
  const all = others.map(
    (kind) => `${(guestRatios(guest, kind).at(-1)?.ratio ?? NaN).toFixed(2)} × ${titles[kind]}`,
  );
  return `## In a guest

One guest with one directory shared in ${shown.length} ways, after a round to warm up: ${files} files created (1,000 bytes
each), listed with their attributes, chmodded, read, renamed, removed; a tree of ${treeFiles} files unpacked and deleted;
${megabytes} MB written and read with dd, ${seconds.ours?.['dd-read']?.length ?? 0} times. The guest's caches are dropped before each piece of work, which is
done in ${slices} slices: one on each share in turn, then the next. Seconds of all slices, and the medians of the ratios
within them. All metadata work together took ours ${all.join(', ')}.

The guest is emulated (TCG, one virtual CPU), since the machine has no KVM for it: its own kernel takes a larger part of
the time than under KVM, and keeps a core busy. 9p is mounted without a cache, virtiofs as usual (\`cache=auto\`: the
guest keeps attributes for a second). Mounts: \`${mounts.ours}\`, \`${mounts.virtiofs}\`.

![time of each piece of work beside the C helper](benchmarks/guest.svg)

${table(head, rows)}`;
}
