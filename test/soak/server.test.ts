/**
 * One guest of the 9P server for long: what server and helper use must be at the end as at the start.
 *
 *   VIRTFS_9P_SOAK_REQUESTS  how many requests (100000); in full:
 *   VIRTFS_9P_SOAK_REQUESTS=10000000 npm test -- test/soak/server.test.ts
 */
import { describe, expect, it, onTestFinished } from 'vitest';
import { BlockingNinepClient } from '../../harness/blocking-ninep-client.js';
import { openDescriptors, pause, residentKib } from '../../harness/process-usage.js';
import { Random } from '../../harness/random.js';
import { countFrom, skipUnlessRoot } from '../../harness/root-only.js';
import { sharedForTest } from '../../harness/share-process.js';
import { NinepWorkload } from './ninep-workload.js';
import { fillTree } from './workload.js';

const skip = skipUnlessRoot('the soak run of the 9P server');
const count = countFrom('VIRTFS_9P_SOAK_REQUESTS', 100_000);
const WINDOWS = 20;
/** Until the code is compiled and the heaps have their size. */
const WARM_UP = 30_000;
/** Windows of this size take minutes: progress is shown. */
const SHOWN_AT_ONCE = 100_000;
/** What a garbage collector may leave lying about: the server's heap goes up and down by half of it. */
const GROWTH_KIB = 32 * 1_024;

interface Usage {
  readonly descriptors: number;
  readonly residentKib: number;
}

interface Window {
  readonly requests: number;
  readonly server: Usage;
  readonly helper: Usage;
  readonly p50: number;
  readonly p99: number;
}

const usage = (pid: number): Usage => ({
  descriptors: openDescriptors(pid),
  residentKib: residentKib(pid),
});

const heading = '    requests  descriptors (server, helper)   VmRSS KiB (both)  p50 us  p99 us';
const row = ({ requests, server, helper, p50, p99 }: Window): string =>
  [
    String(requests).padStart(12),
    `${server.descriptors}, ${helper.descriptors}`.padStart(30),
    `${server.residentKib}, ${helper.residentKib}`.padStart(19),
    p50.toFixed(1).padStart(8),
    p99.toFixed(1).padStart(8),
  ].join('');

describe.skipIf(skip)('one guest of the 9P server', () => {
  it(`leaves nothing behind with ${count} requests`, { timeout: 24 * 3_600_000 }, async () => {
    const { share, path, directory } = await sharedForTest();
    fillTree(directory);
    const client = BlockingNinepClient.connect(path);
    onTestFinished(() => {
      client.close();
    });
    let times: number[] = [];
    const workload = new NinepWorkload(client, new Random(1), (time) => times.push(time));
    const [[server = 0], [helper = 0]] = [share.servers(), share.helpers()];
    const workUntil = async (requests: number): Promise<void> => {
      while (workload.requests < requests) {
        // the blocking client starves the event loop, on which the test runner depends
        const turn = Math.min(requests, workload.requests + 10_000);
        while (workload.requests < turn) workload.step();
        await new Promise(setImmediate);
      }
      await pause(50);
    };
    await workUntil(WARM_UP);
    const windows: Window[] = [];
    for (let nth = 1; nth <= WINDOWS; nth++) {
      times = [];
      await workUntil(WARM_UP + Math.ceil((count * nth) / WINDOWS));
      times.sort((one, other) => one - other);
      const percentile = (part: number): number => times[Math.floor(times.length * part)] ?? Number.NaN;
      const window = {
        ...{ requests: workload.requests - WARM_UP, server: usage(server), helper: usage(helper) },
        ...{ p50: percentile(0.5), p99: percentile(0.99) },
      };
      windows.push(window);
      if (count >= WINDOWS * SHOWN_AT_ONCE) console.log(row(window));
    }
    const byError = [...workload.errors].map(([error, number]) => `${error}: ${number}`).join(', ');
    console.log(`${heading}\n${windows.map(row).join('\n')}\nby request and errno: ${byError}`);
    const [first, last] = [windows[0]!, windows.at(-1)!];
    for (const program of ['server', 'helper'] as const) {
      expect(last[program].descriptors).toBe(first[program].descriptors);
      expect(last[program].residentKib - first[program].residentKib).toBeLessThan(GROWTH_KIB);
    }
    expect([...workload.errors.keys()].sort()).toEqual(['Tauth ENOENT', 'Tgetattr EBADF']);
    expect(share.stderr).not.toContain('bug');
  });
});
