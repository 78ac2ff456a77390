import type { GuestResult } from '../guest/guest.js';
import { medianRatio, sum } from '../statistics.js';

/** Work on names and attributes, as opposed to data. */
const metadataWork = ['create', 'list', 'chmod', 'read', 'rename', 'remove', 'untar', 'git', 'delete'];
const dataWork = ['dd-write', 'dd-read', 'random-read'];

const ALL_TOGETHER = 'all together';

/** How something of ours compares. */
export interface Ratio {
  readonly name: string;
  readonly ratio: number;
  /** The same of the minimal loops, where they do the same work and wait in the same way. */
  readonly limits?: Limits;
}

export interface Limits {
  readonly node?: number | undefined;
  readonly loop?: number | undefined;
}

/** What was measured of a guest, in the order in which it was done. */
export function worksOf({ seconds, shares }: GuestResult): readonly string[] {
  return Object.keys(seconds[shares[0]?.key ?? ''] ?? {});
}

/** Of the times of one piece of work over two shares. */
export function workRatio({ seconds }: GuestResult, key: string, other: string, name: string): number {
  return medianRatio(seconds[key]?.[name] ?? [], seconds[other]?.[name] ?? []);
}

/** Ratio of the times of each piece of metadata work, and of all of it. */
export function metadataRatios(guest: GuestResult | undefined, key: string, other: string): Ratio[] {
  if (guest?.seconds[key] === undefined || guest.seconds[other] === undefined) return [];
  const works = metadataWork.filter((name) => worksOf(guest).includes(name));
  const all = (one: string): number => sum(works.flatMap((name) => guest.seconds[one]?.[name] ?? []));
  const ratio = (one: string, name: string): number =>
    name === ALL_TOGETHER ? all(one) / all(other) : workRatio(guest, one, other, name);
  const loop = (name: string): Pick<Ratio, 'limits'> =>
    guest.seconds['loop'] === undefined ? {} : { limits: { loop: ratio('loop', name) } };
  return [...works, ALL_TOGETHER].map((name) => ({ name, ratio: ratio(key, name), ...loop(name) }));
}

/** The same of data read and written. */
export function dataRatios(guest: GuestResult | undefined, key: string, other: string): Ratio[] {
  if (guest?.seconds[key] === undefined || guest.seconds[other] === undefined) return [];
  return dataWork.map((name) => ({ name, ratio: workRatio(guest, key, other, name) }));
}
