/**
 * The same random requests to our 9P server and to diod, on two trees: every answer and every tree must agree, but for
 * what is in twins/differences.ts with its reason.
 *
 *   VIRTFS_9P_DIFFERENTIAL_REQUESTS  how many requests (5000)
 *   VIRTFS_9P_DIFFERENTIAL_SEED      where the random stream begins (1)
 */
import { describe, expect, it, onTestFinished } from 'vitest';
import { startDiod, startShare, whyNoDiod } from './running-servers.js';
import { streamDifferences } from './twins/differences.js';
import { UNKNOWN_FID } from './twins/source.js';
import { TwinRun } from './twins/twin-run.js';

const requests = Number(process.env['VIRTFS_9P_DIFFERENTIAL_REQUESTS'] ?? 5_000);
const seed = Number(process.env['VIRTFS_9P_DIFFERENTIAL_SEED'] ?? 1);
const replay =
  `replay: VIRTFS_9P_DIFFERENTIAL_SEED=${seed} VIRTFS_9P_DIFFERENTIAL_REQUESTS=${requests} ` +
  'npx vitest run test/server/twins.test.ts';
const ROUND = 2_000;
/** So many that each difference is met. */
const MANY = 100_000;

const skipped = whyNoDiod();
if (skipped !== undefined) console.warn(`the comparison with diod skipped: ${skipped}`);

describe.skipIf(skipped !== undefined)('beside diod', () => {
  it(`answers ${requests} random requests (seed ${seed}) the same`, { timeout: 3_600_000 }, async () => {
    const servers = [await startShare(), await startDiod()] as const;
    onTestFinished(async () => {
      for (const server of servers) await server.stop();
    });
    const run = new TwinRun(servers, { seed, differences: streamDifferences, replay });
    onTestFinished(() => {
      run.close();
    });
    const began = Date.now();
    for (let done = 0; done < requests; done += ROUND) {
      run.round(Math.min(ROUND, requests - done));
      // the blocking clients starve the event loop, on which the test runner depends
      await new Promise(setImmediate);
    }
    const rows = [...run.tallies].map(
      ([name, { sent, succeeded }]) =>
        `${name.padEnd(24)} ${String(sent).padStart(8)} sent, ${Math.round((100 * succeeded) / sent)} % succeed`,
    );
    const seen = [...run.seen].map(([{ reason }, count]) => `${String(count).padStart(8)} times: ${reason}`);
    console.log(
      `seed ${seed}: ${requests} requests in ${((Date.now() - began) / 1_000).toFixed(1)} s, ${run.treesCompared} ` +
        `comparisons of trees of up to ${run.largestTree} objects\n${[...rows, ...seen].join('\n')}`,
    );
    for (const [name, { sent, succeeded }] of run.tallies) {
      if (name === UNKNOWN_FID) continue;
      expect(sent, `${name} sent`).toBeGreaterThan(requests / 200);
      expect(succeeded / sent, `share of ${name} that succeeds`).toBeGreaterThan(0.3);
    }
    if (requests < MANY) return;
    // one that is gone has to leave the list
    const gone = streamDifferences.filter((difference) => !run.seen.has(difference));
    expect(gone.map(({ reason }) => reason)).toEqual([]);
  });
});
