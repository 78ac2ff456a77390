/**
 * diod, another 9P server, under the same tests as ours: shows that the tests themselves are right. What it does
 * otherwise is written down with the reason.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { whyNoUml } from '../../harness/uml-guest.js';
import { diodDeviations, diodDifferences, diodFatal } from './diod-differences.js';
import { diod } from './guest-mounts.js';
import { GuestComparison } from './guest-work.js';
import { acceptance } from './acceptance.js';
import { startDiod, whyNoDiod } from './running-servers.js';

const skip = whyNoUml();
if (skip !== undefined) console.warn(`the guest of diod skipped: ${skip}`);

describe.skipIf(skip !== undefined)('a guest of diod', { timeout: 240_000 }, () => {
  let comparison: GuestComparison;
  beforeAll(async () => {
    comparison = await GuestComparison.boot();
  }, 120_000);
  afterEach(() => comparison.stop());
  afterAll(() => comparison.guest.destroy());

  it('sees a local file system, but for what is known of diod', async () => {
    const found = await comparison.compare(diod, {
      dialect: '9P2000.L',
      transport: 'unix',
      options: ['access=user', 'cache=none'],
      features: ['links', 'owners', 'nodes', 'xattrs', 'trusted', 'locks', 'moves', 'special', 'space'],
    });
    expect(found.sort()).toEqual(diodDifferences.flatMap(({ lines }) => lines).sort());
  });
});

acceptance('diod', startDiod, { deviations: diodDeviations, fatal: diodFatal, skip: whyNoDiod() });
