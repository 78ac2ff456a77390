/** The same frames to a helper with --readonly: whatever the client sends, nothing of the export changes. */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { Outside } from '../../harness/outside.js';
import { readOnlyHost, skipUnlessHarmless } from '../../harness/read-only-host.js';
import { countFrom } from '../../harness/root-only.js';
import { startSession } from '../../harness/helper-process.js';
import { statusFlags } from '../../harness/libc.js';
import { compareSnapshots, snapshot } from '../../harness/tree.js';
import { fuzzCase } from './fuzz-case.js';
import { split } from './layouts.js';
import { replyProblem } from './reply-rules.js';
import { fillScratch } from './scratch.js';

const skip = skipUnlessHarmless('fuzzing a read-only export');
const seed = countFrom('VIRTFS_FUZZ_SEED', 1);
const count = countFrom('VIRTFS_FUZZ_READ_ONLY_FRAMES', 20_000);
const O_ACCMODE = 3;

describe.skipIf(skip)('a read-only export', () => {
  it(`is unchanged after ${count} frames (seed ${seed})`, { timeout: 3_600_000 }, async () => {
    const outside = new Outside();
    fillScratch(outside.exportPath);
    // access times change with the first look, and never again (relatime)
    snapshot(outside.exportPath, String);
    const before = snapshot(outside.exportPath, String);
    const { client, helper } = startSession(outside.exportPath, {
      args: ['--readonly', '--log-level', 'error'],
      wrapper: readOnlyHost(outside.base),
    });
    let [frames, refused, opened] = [0, 0, 0];
    try {
      for (let index = 0; frames < count; index++) {
        const { bytes } = fuzzCase(seed, index);
        const { frames: found, end } = split(bytes);
        const [first] = found;
        if (first === undefined || found.length > 1 || end !== 'whole') continue;
        const reply = client.request(bytes);
        frames++;
        if (reply.errno === constants.errno.EROFS) refused++;
        if (reply.descriptor !== undefined) {
          opened++;
          const mode = statusFlags(reply.descriptor) & O_ACCMODE;
          closeSync(reply.descriptor);
          expect(mode, `case ${index}: the access mode of what was opened`).toBe(0);
        }
        expect(replyProblem(first, reply), `case ${index}: ${bytes.toString('hex', 0, 400)}`).toBeUndefined();
        if (frames % 2_000 === 0) await new Promise(setImmediate);
      }
      const changed = compareSnapshots(snapshot(outside.exportPath, String), before);
      console.log(`${frames} frames: ${refused} refused with EROFS, ${opened} opened for reading`);
      expect(changed).toEqual([]);
      expect(outside.changes()).toEqual([]);
      expect(refused).toBeGreaterThan(frames / 10);
      expect(opened).toBeGreaterThan(frames / 1_000);
    } finally {
      client.close();
      await helper.stop();
      outside.remove();
    }
  });
});
