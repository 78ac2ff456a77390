import type { GuestResult } from '../guest/guest.js';
import type { Results } from '../results.js';
import { sum } from '../statistics.js';
import { barChart } from './bar-chart.js';
import type { Plots } from './document.js';
import { metadataRatios, workRatio, worksOf } from './guest-ratios.js';
import type { Series } from './svg.js';
import { table, twoDigits } from './table.js';

/** Where a bar is cut: more is not worth making all others short for. */
const CUT = 3;

type GuestResults = Pick<Results, 'guest' | 'proxyGuest'>;
type Described = GuestResult['shares'][number];

/** Which column stands beside ours. */
const BASE = 'local';
const BASE_CACHED = 'virtiofs-cached';

export function guestPlots({ guest, proxyGuest }: GuestResults): Plots {
  const measured = guest ?? proxyGuest;
  if (measured === undefined) return {};
  const works = worksOf(measured);
  const over = (result: GuestResult, shares: readonly Described[], base: string): Series[] =>
    shares.map(({ key, title }) => ({
      title,
      values: works.map((name) => workRatio(result, key, base, name) || 0), // of what was not measured there is no bar
    }));
  const helper = proxyGuest?.shares.filter(({ key }) => key === 'reference') ?? [];
  const asking = measured.shares.filter(({ cached, key }) => !cached && key !== 'reference');
  const series = [
    ...over(measured, asking, BASE),
    ...(proxyGuest === undefined ? [] : over(proxyGuest, helper, BASE)),
  ];
  const plots = { guest: barChart("Time of a guest's work, over QEMU's local = 1", works, series, CUT) };
  if (guest === undefined) return plots;
  const mounted = over(guest, cachedOf(guest), BASE_CACHED);
  const title = 'As people mount: time of the same work, over virtiofsd with cache=auto = 1';
  return { ...plots, 'guest-cached': barChart(title, works, mounted, CUT) };
}

const cachedOf = ({ shares }: GuestResult): readonly Described[] => shares.filter(({ cached }) => cached);

export function guestChapter({ guest, proxyGuest }: GuestResults): string {
  const measured = guest ?? proxyGuest;
  if (measured === undefined) return '';
  return `## What the user of a guest feels

![time of each piece of work](benchmarks/guest.svg)

Each piece of work beside the same over QEMU's own \`local\` driver: shorter is better. Nothing is cached in the guest. The
_C helper_ is that of the proxy driver, which QEMU had until 9.1, and is compared with the \`local\` of its QEMU.

${[mountedPlot(guest), method(measured), todayChapter(guest), proxyChapter(proxyGuest)].filter(Boolean).join('\n\n')}`;
}

function mountedPlot(guest: GuestResult | undefined): string {
  if (guest === undefined) return '';
  return `![the same as people mount](benchmarks/guest-cached.svg)

As people mount: the guest keeps names, attributes and data, which \`cache=loose\` does for as long as it likes and virtiofsd's
\`cache=auto\` for a second. What a cache has not written at the end of a slice of work is written before the next one, and
is not timed.`;
}

function method({ amounts }: GuestResult): string {
  const { files, treeFiles, slices, megabytes, reads, dataSlices } = amounts;
  return `A guest with one directory shared in all these ways, after a round to warm up: ${files} files created (1,000 bytes each),
listed with their attributes, chmodded, read, renamed, removed; a tree of ${treeFiles} files unpacked, a part of each slice of it
committed to a git repository (init, add, commit, status), and deleted; ${megabytes} MiB written and read with dd, and ${reads} times
4 KiB read at random places of them. The guest's caches are dropped before each piece of work, and of data before each slice.
A piece is done in ${slices} slices (of data ${dataSlices}): one on each share in turn, then the next. Seconds of all slices, and the
medians of the ratios within them.

The guest is emulated (TCG, one virtual CPU), since the machine has no KVM for it: its own kernel takes a larger part of
the time than under KVM, and keeps a core busy.`;
}

function todayChapter(guest: GuestResult | undefined): string {
  if (guest === undefined) return '';
  const cached = cachedOf(guest);
  const asking = guest.shares.filter((share) => !share.cached);
  return `### QEMU ${guest.qemu}, Linux ${guest.kernel}

All metadata work together took ours over vhost-user ${allTogether(guest, asking, 'ours')}. Mounts: ${mounts(asking)}.

${times(guest, asking, 'ours')}

As people mount (${mounts(cached)}) it took ours ${allTogether(guest, cached, 'ours-cached')}.

${times(guest, cached, 'ours-cached')}`;
}

function proxyChapter(guest: GuestResult | undefined): string {
  if (guest === undefined) return '';
  return `### QEMU ${guest.qemu} with its proxy driver, Linux ${guest.kernel}

_Ours_, the C helper and the minimal C loop are helpers of the proxy driver. virtiofsd is the one in C, with \`cache=auto\`. All
metadata work together took ours ${allTogether(guest, guest.shares, 'ours')}.

${times(guest, guest.shares, 'ours')}`;
}

function allTogether(guest: GuestResult, shares: readonly Described[], ours: string): string {
  return shares
    .filter(({ key }) => key !== ours)
    .map(({ key, title }) => {
      const together = metadataRatios(guest, ours, key).at(-1)?.ratio ?? NaN;
      return `${together.toFixed(2)} × ${title}`;
    })
    .join('; ');
}

/** The different options of mounts. */
function mounts(shares: readonly Described[]): string {
  const options = shares.map(({ type, options }) => (type === '9p' ? `\`${options}\`` : `virtiofs`));
  return [...new Set(options)].join(', ');
}

/** Seconds over each share, and what that of ours, the first one, is divided by each other's. */
function times(guest: GuestResult, shares: readonly Described[], ours: string): string {
  const others = shares.filter(({ key }) => key !== ours);
  const head = ['work', ...shares.map(({ title }) => title), ...others.map(({ title }) => `÷ ${title}`)];
  const rows = worksOf(guest).map((name) => [
    name,
    ...shares.map(({ key }) => sum(guest.seconds[key]?.[name] ?? []).toFixed(2)),
    ...others.map(({ key }) => twoDigits(workRatio(guest, ours, key, name))),
  ]);
  return table(head, rows);
}
