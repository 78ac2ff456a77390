/** The two halves of a share apart: a helper at a socket, and the 9P server beside it. */
import { existsSync } from 'node:fs';
import { expect, vi } from 'vitest';
import { type HelperProcess, helperForTest } from '../../harness/helper-process.js';
import { patience } from '../../harness/patience.js';
import { type ShareOptions, ShareProcess, socketPathForTest } from '../../harness/share-process.js';
import { exportForTest } from '../../harness/tree.js';

export const PATIENCE = { timeout: 20_000 * patience, interval: 5 };

export interface Place {
  readonly directory: string;
  /** Where the helper listens. */
  readonly helperSocket: string;
  /** Where guests connect. */
  readonly path: string;
}

export function place(): Place {
  return { directory: exportForTest(), helperSocket: socketPathForTest(), path: socketPathForTest() };
}

/** A helper at the place's socket, which is there when this returns. */
export async function helperAt(
  { directory, helperSocket }: Omit<Place, 'path'>,
  ...options: string[]
): Promise<HelperProcess> {
  const helper = helperForTest([
    ...['--nodaemon', `--path=${directory}`, `--socket=${helperSocket}`, '--descriptor-requests'],
    ...options,
  ]);
  await vi.waitFor(() => {
    expect([existsSync(helperSocket), helper.stderr()]).toEqual([true, expect.any(String)]);
  }, PATIENCE);
  return helper;
}

export function serverAt(
  { helperSocket, path }: Omit<Place, 'directory'>,
  options: readonly string[] = [],
  started: ShareOptions = {},
): ShareProcess {
  return new ShareProcess([`--helper=${helperSocket}`, `--listen=unix:${path}`, ...options], {
    command: 'server',
    ...started,
  });
}
