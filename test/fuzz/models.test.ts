/**
 * The same frames to a helper with each of the other security models: no crash, no hang, no wrong reply, no descriptor
 * left open, nothing outside touched.
 */
import { describe, expect, it, onTestFinished } from 'vitest';
import { skipUnlessHarmless } from '../../harness/read-only-host.js';
import { countFrom } from '../../harness/root-only.js';
import { requestNames } from '../../harness/requests.js';
import { fuzzCase } from './fuzz-case.js';
import { FuzzRun } from './fuzz-run.js';

const skip = skipUnlessHarmless('fuzzing the security models');
const seed = countFrom('VIRTFS_FUZZ_SEED', 1);
const enough = countFrom('VIRTFS_FUZZ_MODEL_FRAMES', 15_000);

describe.skipIf(skip).each(['none', 'mapped-xattr', 'mapped-file'])('a helper with %s', (model) => {
  it(`survives ${enough} mutated frames (seed ${seed})`, { timeout: 3_600_000 }, async () => {
    const run = new FuzzRun(seed, [], ['--security-model', model]);
    let ended = false;
    onTestFinished(async () => {
      if (!ended) await run.end();
    });
    for (let index = 0; run.tally.frames < enough; index++) {
      const problem = await run.run(index);
      const bytes = problem === undefined ? '' : fuzzCase(seed, index).bytes.toString('hex', 0, 2_000);
      expect(problem, `case ${index}: ${bytes}`).toBeUndefined();
    }
    const changes = await run.end();
    ended = true;
    expect(changes).toEqual([]);
    for (const name of requestNames) {
      expect(run.tally.succeeded.get(name) ?? 0, `${name} requests that succeeded`).toBeGreaterThan(
        enough / 10_000,
      );
    }
  });
});
