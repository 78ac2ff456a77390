/**
 * One long session: what the helper uses and how quick it is must be at the end as at the start.
 *
 *   VIRTFS_SOAK_REQUESTS  how many requests (100000); in full:
 *   VIRTFS_SOAK_REQUESTS=10000000 npm test -- test/soak/soak.test.ts
 */
import { closeSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openDescriptors, pause, residentKib } from '../../harness/process-usage.js';
import { countFrom, skipUnlessRoot } from '../../harness/root-only.js';
import { sessionForTest } from '../../harness/helper-process.js';
import { exportForTest } from '../../harness/tree.js';
import type { WireClient } from '../../harness/wire-client.js';
import { fillTree, nameOf, Workload } from './workload.js';

const skip = skipUnlessRoot('the soak run');
const count = countFrom('VIRTFS_SOAK_REQUESTS', 100_000);
const WINDOWS = 20;
/** Until the code is compiled and the heap has its size. */
const WARM_UP = 20_000;
/** Windows of this size take minutes: progress is shown. */
const SHOWN_AT_ONCE = 100_000;
/** What a garbage collector may leave lying about. */
const GROWTH_KIB = 16 * 1_024;
/** Other programs come and go on the same processors. */
const SLOWER = 3;

interface Window {
  readonly requests: number;
  readonly descriptors: number;
  readonly residentKib: number;
  readonly p50: number;
  readonly p99: number;
}

function makeTree(): string {
  const root = exportForTest();
  fillTree(root);
  return root;
}

/** Sends one request and waits for its reply. @returns microseconds */
function timed(client: WireClient, workload: Workload, errors: Map<string, number>): number {
  const bytes = workload.next();
  const began = performance.now();
  const { errno, descriptor } = client.request(bytes);
  const microseconds = (performance.now() - began) * 1_000;
  if (descriptor !== undefined) closeSync(descriptor);
  if (errno !== 0) {
    const error = `${nameOf(bytes)} ${errno}`;
    errors.set(error, (errors.get(error) ?? 0) + 1);
  }
  return microseconds;
}

const percentile = (sorted: Float64Array, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

const heading = '    requests  descriptors  VmRSS KiB  p50 us  p99 us';
const row = ({ requests, descriptors, residentKib: resident, p50, p99 }: Window): string =>
  [
    String(requests).padStart(12),
    String(descriptors).padStart(13),
    String(resident).padStart(11),
    p50.toFixed(1).padStart(8),
    p99.toFixed(1).padStart(8),
  ].join('');

describe.skipIf(skip)('one long session', () => {
  it(`of ${count} requests ends as it began`, { timeout: 24 * 3_600_000 }, async () => {
    const { client, helper } = sessionForTest(makeTree());
    const workload = new Workload(1);
    const errors = new Map<string, number>();
    for (let warm = 0; warm < WARM_UP; warm++) timed(client, workload, errors);
    const windows: Window[] = [];
    const size = Math.ceil(count / WINDOWS);
    const times = new Float64Array(size);
    for (let done = 0; done < count; done += size) {
      for (let index = 0; index < size; index++) {
        times[index] = timed(client, workload, errors);
        // the blocking client starves the event loop, on which the test runner depends
        if (index % 20_000 === 0) await new Promise(setImmediate);
      }
      // the last descriptor is closed after its reply
      await pause(50);
      times.sort();
      const window = {
        requests: done + size,
        descriptors: openDescriptors(helper.pid),
        residentKib: residentKib(helper.pid),
        p50: percentile(times, 0.5),
        p99: percentile(times, 0.99),
      };
      windows.push(window);
      if (size >= SHOWN_AT_ONCE) console.log(row(window));
    }
    const byError = [...errors].map(([error, number]) => `${error}: ${number}`).join(', ');
    console.log(`${heading}\n${windows.map(row).join('\n')}\nby request and errno: ${byError}`);
    const [first, last] = [windows[0]!, windows.at(-1)!];
    expect(last.descriptors).toBe(first.descriptors);
    expect(last.residentKib - first.residentKib).toBeLessThan(GROWTH_KIB);
    expect(last.p50).toBeLessThan(first.p50 * SLOWER);
    // names that are missing, a fifo, a malformed request: all that may fail
    expect([...errors.keys()].sort()).toEqual(['LSTAT 105', 'LSTAT 2', 'OPEN 6']);
  });
});
