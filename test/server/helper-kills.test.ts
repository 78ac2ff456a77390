/**
 * SIGKILL of helpers at random moments, while starting and while working, under guests that work on.
 *
 *   VIRTFS_HELPER_KILLS  how many kills (24); in full:
 *   VIRTFS_HELPER_KILLS=1000 npm test -- test/server/helper-kills.test.ts
 */
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Random } from '../../harness/random.js';
import { countFrom, skipUnlessRoot } from '../../harness/root-only.js';
import { NinepClient } from '../../harness/ninep-client.js';
import { patience } from '../../harness/patience.js';
import { Scene } from './acceptance/scene.js';
import { GuestUnderKills } from './guest-under-kills.js';
import { sharedForTest, type ShareProcess } from '../../harness/share-process.js';

const skip = skipUnlessRoot('kills of helpers under guests');
const kills = countFrom('VIRTFS_HELPER_KILLS', 24);
const GUESTS = 4;
/** How many helpers are killed at once, at most. */
const AT_ONCE = 4;
const PAUSE_MS = 200;
const PATIENCE = { timeout: 30_000 * patience, interval: 5 };

/** Kills some of the helpers that there are, whatever they are at. @returns how many */
function kill(share: ShareProcess, random: Random): number {
  share.remember();
  const pids = [...share.helpers(), ...share.startingHelpers()];
  const count = Math.min(1 + random.below(AT_ONCE), pids.length);
  for (let nth = 0; nth < count; nth++) {
    const [pid = 0] = pids.splice(random.below(pids.length), 1);
    process.kill(pid, 'SIGKILL');
  }
  return count;
}

describe.skipIf(skip)('SIGKILL of helpers', () => {
  it(
    `${kills} times under guests changes no data, and loses no fid and no lock`,
    { timeout: 24 * 3_600_000 },
    async () => {
      const random = new Random(1);
      const { share, path, directory } = await sharedForTest('--keep-listening', '--helper-restarts=1000');
      const connect = (): Promise<NinepClient> => NinepClient.connect({ path });
      const guests: GuestUnderKills[] = [];
      for (let number = 0; number < GUESTS; number++) {
        const scene = await Scene.enter({ connect, export: directory, stop: () => Promise.resolve() });
        guests.push(await GuestUnderKills.begin(scene, new Random(number + 2)));
      }
      const working = Promise.all(guests.map((guest) => guest.work()));
      working.catch(() => undefined);
      let killed = 0;
      onTestFinished(() => {
        const tally = guests.map(({ steps, unknown }) => ({ steps, unknown }));
        console.log(`${killed} kills under guests: ${JSON.stringify(tally)}`);
      });
      while (killed < kills) {
        killed += kill(share, random);
        await pause(random.below(PAUSE_MS));
        // again at once, mostly while they start
        if (random.chance(0.3)) continue;
        const before = guests.map(({ steps }) => steps);
        await Promise.race([
          working,
          vi.waitUntil(() => guests.every(({ steps }, index) => steps > before[index]! + 2), PATIENCE),
        ]);
      }
      for (const guest of guests) guest.stop();
      await working;
      for (const guest of guests) await guest.check();
      share.child.kill('SIGTERM');
      const { status, stderr } = await share.end();
      expect([status, stderr.match(/session of a client failed/g)]).toEqual([0, null]);
    },
  );
});
