/** What a guest makes to be looked at on the host. */
import { lstatSync } from 'node:fs';
import { expect } from 'vitest';
import { sessionForTest } from '../../harness/helper-process.js';
import { exportForTest } from '../../harness/tree.js';
import type { Model } from './behaviour.js';
import { type Guest, user } from './guest.js';
import { ProxyGuest } from './proxy-guest.js';

/** makedev(300, 70000). */
export const DEVICE = 0x1111_2c70;

export function guestForTest(model: Model, ...args: string[]): Guest {
  const directory = exportForTest();
  return new ProxyGuest(sessionForTest(directory, { args: ['--security-model', model, ...args] }), directory);
}

export const made = ['/file', '/directory', '/link', '/fifo', '/character', '/owned'];

/** Makes all of `made`, and changes the export itself. */
export function makeAll(guest: Guest): void {
  const results = [
    guest.create('/file', 0o4755),
    guest.mkdir('/directory', 0o1750, user),
    guest.symlink('../some/target', '/link', user),
    guest.mknod('/fifo', 0o010644),
    guest.mknod('/character', 0o020600, DEVICE),
    guest.create('/owned', 0o644),
    guest.chown('/owned', 4_294_967_294, 4_294_967_293),
    guest.chmod('/', 0o1777),
  ];
  expect(results).toEqual(results.map(() => 'ok'));
}

export function hostMode(guest: Guest, path: string): string {
  return lstatSync(guest.host(path)).mode.toString(8);
}
