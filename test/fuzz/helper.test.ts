/**
 * A real helper over a socket, fed with valid, mutated and random frames.
 *
 *   VIRTFS_FUZZ_SEED   where the random stream begins (1)
 *   VIRTFS_FUZZ_FRAMES  how many frames, to each kind of confinement (100000); in full:
 *   VIRTFS_FUZZ_FRAMES=5000000 npm test -- test/fuzz/helper.test.ts
 *   VIRTFS_FUZZ_CASE   only the case of this number, after those before it on the same tree
 */
import { describe, expect, it, onTestFinished } from 'vitest';
import { confinements, skipUnlessHarmless } from '../../harness/read-only-host.js';
import { countFrom } from '../../harness/root-only.js';
import { requestNames } from '../../harness/requests.js';
import { EPOCH, FuzzRun } from './fuzz-run.js';
import { fuzzCase } from './fuzz-case.js';

const skip = skipUnlessHarmless('fuzzing a helper');
const seed = countFrom('VIRTFS_FUZZ_SEED', 1);
const only = process.env['VIRTFS_FUZZ_CASE'];
const lastCase = only === undefined ? Number.POSITIVE_INFINITY : countFrom('VIRTFS_FUZZ_CASE', 0);
const firstCase = only === undefined ? 0 : lastCase - (lastCase % EPOCH);
const enoughFrames = only === undefined ? countFrom('VIRTFS_FUZZ_FRAMES', 100_000) : Number.POSITIVE_INFINITY;
const what = only === undefined ? `${enoughFrames} frames` : `case ${only}`;
const PROGRESS = 100_000;
const SHOWN_BYTES = 2_000;

function describeCase(index: number, confinement: string): string {
  const { kind, bytes, cuts } = fuzzCase(seed, index);
  return [
    `replay: VIRTFS_FUZZ_SEED=${seed} VIRTFS_FUZZ_CASE=${index} npm test -- test/fuzz/helper.test.ts -t '${confinement}'`,
    `case ${index}, ${kind}, ${bytes.length} bytes${cuts.length > 0 ? `, cut at ${cuts.join(', ')}` : ''}:`,
    bytes.toString('hex', 0, SHOWN_BYTES),
  ].join('\n');
}

describe.skipIf(skip).each(confinements)('a helper %s, fed with mutated frames,', (name, confinement) => {
  it(`survives ${what} (seed ${seed})`, { timeout: 24 * 3_600_000 }, async () => {
    const run = new FuzzRun(seed, confinement);
    let ended = false;
    onTestFinished(async () => {
      if (!ended) await run.end();
    });
    const began = Date.now();
    let shown = 0;
    for (let index = firstCase; index <= lastCase && run.tally.frames < enoughFrames; index++) {
      const problem = await run.run(index);
      if (problem !== undefined) throw new Error(`${problem}\n${describeCase(index, name)}`);
      const { frames } = run.tally;
      if (frames - shown >= PROGRESS) {
        shown = frames;
        const seconds = (Date.now() - began) / 1_000;
        console.log(`${frames} frames, ${Math.round(frames / seconds)} per second`);
      }
    }
    const { frames, restarts, succeeded, kinds } = run.tally;
    const changes = await run.end();
    ended = true;
    expect(changes).toEqual([]);

    const counts = (map: ReadonlyMap<string, number>): string =>
      [...map].map(([key, count]) => `${key} ${count}`).join(', ');
    console.log(
      `seed ${seed}: ${frames} frames in ${((Date.now() - began) / 1_000).toFixed(0)} s, ${restarts} helpers ended by ` +
        `a violation\ncases: ${counts(kinds)}\nsucceeded: ${counts(succeeded)}`,
    );
    if (only !== undefined) return;
    // a fuzzer whose frames are all refused at the door tests the door only
    for (const name of requestNames)
      expect(succeeded.get(name) ?? 0, `${name} requests that succeeded`).toBeGreaterThan(frames / 10_000);
  });
});
