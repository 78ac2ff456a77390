import type { Scraped } from '../observability/openmetrics.js';
import type { Asked } from './machines.js';

/**
 * Of the names of all that answer, each of which is on some 400 lines. Any user can start as many as he likes, with names
 * as long as paths; thousands of ours have less.
 */
const MAX_LABEL_BYTES = 524_288;
/** What else there is for each. */
const OTHER_BYTES = 100;

/**
 * One for each name, that one which answers, since the same series twice is no exposition; and of those that answer the
 * first ones, as many as there is room for.
 *
 * @param nameOf the name, of a path
 * @param labelOf what is on each line besides
 */
export function series<Status extends object>(
  halves: readonly Asked<Status>[],
  nameOf: (socket: string) => string,
  labelOf: (status: Status) => string,
): { readonly scraped: Scraped<Status>[]; readonly leftOut: Asked<never>[] } {
  const named = new Map<string, Scraped<Status>>();
  const leftOut: Asked<never>[] = [];
  let room = MAX_LABEL_BYTES;
  for (const {
    socket: path,
    answer: { status },
  } of halves) {
    const socket = nameOf(path);
    if (named.get(socket)?.status !== undefined) continue;
    const size =
      status === undefined ? 0 : Buffer.byteLength(socket) + Buffer.byteLength(labelOf(status)) + OTHER_BYTES;
    if (size > room) {
      const reason = 'is left out: the names of all together are too long';
      leftOut.push({ socket: path, answer: { status: undefined, absent: true, reason } });
    } else {
      room -= size;
      named.set(socket, { socket, status });
    }
  }
  return { scraped: [...named.values()], leftOut };
}
