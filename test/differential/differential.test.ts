/**
 * The same random requests to our helper and to Debian's C helper, on two trees: every answer and every tree must agree.
 * What deliberately differs is in differences.ts and kept out of the stream by its generator.
 *
 *   VIRTFS_DIFFERENTIAL_REQUESTS  how many requests (100000)
 *   VIRTFS_DIFFERENTIAL_SEED      where the random stream begins (1)
 */
import { describe, expect, it, onTestFinished } from 'vitest';
import { whyNoReference } from '../../harness/helper-process.js';
import { TwinRun } from './twin-run.js';

const requests = Number(process.env['VIRTFS_DIFFERENTIAL_REQUESTS'] ?? 100_000);
const seed = Number(process.env['VIRTFS_DIFFERENTIAL_SEED'] ?? 1);
const replay =
  `replay: VIRTFS_DIFFERENTIAL_SEED=${seed} VIRTFS_DIFFERENTIAL_REQUESTS=${requests} ` +
  'npx vitest run test/differential/differential.test.ts';

const skipped = whyNoReference();
if (skipped !== undefined) console.warn(`differential tests skipped: ${skipped}`);

function table(run: TwinRun): string {
  const rows = [...run.tallies].map(([name, { sent, succeeded, errors }]) => {
    const share = `${Math.round((100 * succeeded) / Math.max(sent, 1))} %`;
    const most = [...errors].sort(([, a], [, b]) => b - a).map(([error, count]) => `${error} ${count}`);
    return `${name.padEnd(13)} ${String(sent).padStart(6)} sent, ${share.padStart(5)} succeed; ${most.join(', ')}`;
  });
  return rows.join('\n');
}

describe.skipIf(skipped !== undefined)('against the reference', () => {
  it(`answers ${requests} random requests (seed ${seed}) the same`, { timeout: 600_000 }, () => {
    const run = new TwinRun(seed, replay);
    onTestFinished(() => run.end());
    const began = Date.now();
    run.run(requests, 10_000);
    run.compareTrees();
    console.log(
      `seed ${seed}: ${requests} requests in ${((Date.now() - began) / 1_000).toFixed(1)} s, ${run.treesCompared} ` +
        `comparisons of trees of up to ${run.largestTree} objects, paths of up to ${run.longestPath} bytes\n${table(run)}`,
    );

    // A cold stream, in which nearly everything fails, would agree without saying anything.
    for (const [name, { sent, succeeded, errors }] of run.tallies) {
      expect(sent, `${name} requests sent`).toBeGreaterThan(requests / 100);
      expect(succeeded / sent, `share of ${name} requests that succeed`).toBeGreaterThan(0.5);
      expect(succeeded / sent, `share of ${name} requests that succeed`).toBeLessThan(0.98);
      expect(errors.size, `kinds of errors of ${name}`).toBeGreaterThanOrEqual(2);
    }
    expect(run.longestPath).toBeGreaterThan(3_000);
  });
});
