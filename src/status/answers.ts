import { shownLimits } from '../observability/latencies.js';
import type { HelperStatus } from '../observability/helper-status.js';
import type { ServerStatus, Transport } from '../observability/server-status.js';
import { requests } from '../proxy-protocol/requests.js';
import { countedMessages } from '../server/p9/counted-messages.js';

/**
 * What an answer may hold, declared once. Any user's process may pass for a helper, and a guest may have taken over a 9P
 * server. What they say is shown on root's terminal and in metrics. So each reader copies only the fields that it knows,
 * and throws when one is missing or is something else.
 */
type Reader<Value> = (value: unknown) => Value;
type Fields<Value> = { readonly [Name in keyof Value]: Reader<Value[Name]> };

class NoAnswer extends Error {}

/** Longer than any path that a program can open. */
const MAX_TEXT_BYTES = 4096;

function check(holds: boolean): asserts holds {
  if (!holds) throw new NoAnswer();
}

function number(value: unknown): number {
  check(typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER);
  return value;
}

function flag(value: unknown): boolean {
  check(typeof value === 'boolean');
  return value;
}

function text(value: unknown): string {
  check(typeof value === 'string' && Buffer.byteLength(value) <= MAX_TEXT_BYTES);
  return value;
}

const oneOf =
  <Value>(...values: readonly Value[]): Reader<Value> =>
  (value) => {
    const found = values.find((one) => one === value);
    check(found !== undefined);
    return found;
  };

const orNull =
  <Value>(read: Reader<Value>): Reader<Value | null> =>
  (value) =>
    value === null ? null : read(value);

function object<Value extends object>(fields: Fields<Value>): Reader<Value> {
  return (value) => {
    const given = fieldsOf(value);
    const read = Object.entries<Reader<unknown>>(fields).map(([name, field]) => [
      name,
      field(given.get(name)),
    ]);
    return Object.fromEntries(read) as Value;
  };
}

/** Those of some names that are there: another version has more or fewer. */
function some<Value>(names: readonly string[], read: Reader<Value>): Reader<Record<string, Value>> {
  return (value) => {
    const given = fieldsOf(value);
    return Object.fromEntries(
      names.filter((name) => given.has(name)).map((name) => [name, read(given.get(name))]),
    );
  };
}

/** Only its own: what every object inherits is no answer. */
function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  check(typeof value === 'object' && value !== null);
  return new Map(Object.entries(value));
}

/** The buckets of a histogram, each of which holds the ones before. */
function buckets(value: unknown): readonly number[] {
  check(Array.isArray(value) && value.length === shownLimits.length);
  const counts = value.map(number);
  check(counts.every((count, index) => count >= (counts[index - 1] ?? 0)));
  return counts;
}

const operation = object({
  ...{ requests: number, errors: number, bytesReceived: number, bytesSent: number },
  latency: object({ count: number, sum: number, p50: number, p90: number, p99: number, below: buckets }),
});

const client = orNull(object({ pid: number, uid: number }));

const helper = object<HelperStatus>({
  ...{ pid: number, export: text, readOnly: flag, uptime: number, client },
  descriptors: object({ passed: number, held: number }),
  logLinesLost: number,
  operations: some(Object.keys(requests), operation),
});

const server = object<ServerStatus>({
  ...{ pid: number, uptime: number },
  transport: oneOf<Transport>('unix', 'tcp', 'vsock', 'vhost-user'),
  ...{ connected: flag, client },
  dialect: oneOf(null, '9P2000', '9P2000.u', '9P2000.L'),
  msize: orNull(number),
  ...{ fids: number, openFiles: number, descriptors: number, locks: number },
  fileBytes: object({ read: number, written: number }),
  helper: object({ requests: number, trips: number, replacements: number }),
  logLinesLost: number,
  messages: some(countedMessages, operation),
});

/** What an answer says; undefined when it is neither a helper's nor a 9P server's. */
export function readAnswer(bytes: Uint8Array): HelperStatus | ServerStatus | undefined {
  try {
    const answer: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return fieldsOf(answer).has('messages') ? server(answer) : helper(answer);
  } catch (error) {
    if (error instanceof NoAnswer || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
