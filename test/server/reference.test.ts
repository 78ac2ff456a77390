/**
 * diod, another 9P server, under the same tests as ours: shows that the tests themselves are right. What it does
 * otherwise is written down with the reason.
 */
import { existsSync, rmSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { whyNoUml } from '../support/uml-guest.js';
import { diodDeviations, diodDifferences, diodFatal } from './diod-differences.js';
import { diod } from './guest-mounts.js';
import { GuestComparison } from './guest-work.js';
import { NinepClient } from '../support/ninep-client.js';
import { patience } from '../support/patience.js';
import { makeExport, removeTree } from '../support/tree.js';
import { acceptance } from './acceptance.js';
import type { Running } from './acceptance/scene.js';

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

const DIOD = '/usr/sbin/diod';

async function startDiod(): Promise<Running> {
  const directory = makeExport();
  const socket = `${directory}.sock`;
  const options = ['-f', '-n', '-N', '-e', directory, '-U', 'root', '-L', 'stderr', '-l', socket];
  const diod = spawn(DIOD, options, { stdio: 'ignore' });
  const ended = once(diod, 'exit');
  await vi.waitUntil(() => existsSync(socket), { timeout: 10_000 * patience });
  return {
    connect: () => NinepClient.connect({ path: socket }),
    export: directory,
    aname: directory,
    unknownFid: 'EIO',
    remembers: true,
    stop: async () => {
      diod.kill('SIGKILL');
      await ended;
      removeTree(directory);
      rmSync(socket, { force: true });
    },
  };
}

acceptance('diod', startDiod, {
  deviations: diodDeviations,
  fatal: diodFatal,
  skip: existsSync(DIOD) ? undefined : `${DIOD} is not installed (Debian: diod)`,
});
