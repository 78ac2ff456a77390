import { usageError } from '../../startup/start-errors.js';
import type { IdMapping, IdMappings, IdRange } from '../security-models/id-map.js';
import { type OptionName, type OptionValues, valuesOf } from './options.js';

/** One more than the largest id: 2^32 - 1 is none, chown(2). */
const ID_LIMIT = 0xffff_ffff;

/** All ids as they are. */
const sameIds: IdMapping = {
  ranges: [{ guest: 0, host: 0, count: ID_LIMIT }],
  squash: undefined,
  forbidden: [],
};

/** What the options say of ids; undefined when they say nothing. Throws a usage error. */
export function idMappings(values: OptionValues): IdMappings | undefined {
  const uids = idMapping('uid', values);
  const gids = idMapping('gid', values);
  if (uids === undefined && gids === undefined) return undefined;
  return { uids: uids ?? sameIds, gids: gids ?? sameIds };
}

/**
 * What the options say of user ids, or of group ids; undefined when they say nothing. With nothing but forbidden ids all
 * others stay as they are. Throws a usage error.
 */
function idMapping(kind: 'uid' | 'gid', values: OptionValues): IdMapping | undefined {
  const maps = valuesOf(values, `map-${kind}`);
  const squashed = values[`squash-${kind}`];
  const forbids = valuesOf(values, `forbid-${kind}`);
  if (maps.length === 0 && squashed === undefined && forbids.length === 0) return undefined;

  const ranges = maps.map((text): IdRange => {
    const [guest = 0, host = 0, count = 0] = numbers(`map-${kind}`, text, 'GUEST:HOST:COUNT');
    return { guest, host, count };
  });
  const squash = typeof squashed === 'string' ? numbers(`squash-${kind}`, squashed, 'ID')[0] : undefined;
  const forbidden = forbids.map((text) => {
    const [guest = 0, count = 0] = numbers(`forbid-${kind}`, text, 'FIRST:COUNT');
    return { guest, count };
  });
  for (const side of ['guest', 'host'] as const) checkOverlaps(`map-${kind}`, ranges, side);
  return { ranges: maps.length > 0 || squash !== undefined ? ranges : sameIds.ranges, squash, forbidden };
}

/** The numbers of a text of the given form. Every range that they describe is of ids that exist. */
function numbers(option: OptionName, text: string, form: string): number[] {
  const parts = text.split(':').map((part) => (/^\d{1,10}$/.test(part) ? Number(part) : Number.NaN));
  const names = form.split(':');
  if (parts.length !== names.length || parts.some(Number.isNaN)) {
    throw usageError(`--${option} ${text}: must be ${form}, in numbers`);
  }
  const count = names.at(-1) === 'COUNT' ? (parts.pop() ?? 0) : 1;
  if (count === 0 || parts.some((first) => first + count > ID_LIMIT)) {
    throw usageError(`--${option} ${text}: ids are 0 to ${ID_LIMIT - 1}, and COUNT is at least 1`);
  }
  return [...parts, count];
}

function checkOverlaps(option: OptionName, ranges: readonly IdRange[], side: 'guest' | 'host'): void {
  const sorted = [...ranges].sort((a, b) => a[side] - b[side]);
  for (const [index, range] of sorted.entries()) {
    const next = sorted[index + 1];
    if (next === undefined || range[side] + range.count <= next[side]) continue;
    const [first, second] = [range, next].map(({ guest, host, count }) => `${guest}:${host}:${count}`);
    throw usageError(`--${option} ${first} and ${second}: the ids of the ${side} overlap`);
  }
}
