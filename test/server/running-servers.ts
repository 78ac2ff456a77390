/** The 9P servers that tests compare: ours as it is installed, and diod. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { vi } from 'vitest';
import { helperNode } from '../../harness/guest/helper.js';
import { OURS, whyNotRoot } from '../../harness/helper-process.js';
import { NinepClient } from '../../harness/ninep-client.js';
import { patience } from '../../harness/patience.js';
import { makeExport, removeTree } from '../../harness/tree.js';
import type { Running } from './acceptance/scene.js';

const DIOD = '/usr/sbin/diod';

export interface RunningOnSocket extends Running {
  /** Of a unix socket. */
  readonly socket: string;
  /** The process that was started. */
  readonly pid: number;
}

/** Why diod cannot be tried here, or undefined if it can. */
export function whyNoDiod(): string | undefined {
  return existsSync(DIOD) ? whyNotRoot() : `${DIOD} is not installed (Debian: diod)`;
}

/** The 9P server as it is installed, confined and with a helper of its own for each client. */
export async function startShare(args: readonly string[] = []): Promise<RunningOnSocket> {
  const directory = makeExport();
  const socket = `${directory}.sock`;
  const options = [
    `--path=${directory}`,
    `--listen=unix:${socket}`,
    '--keep-listening',
    '--ready-fd=3',
    '--log-level=silent',
    ...args,
  ];
  const share = spawn(helperNode, [OURS, 'share', ...options], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  });
  const ended = once(share, 'exit');
  const [report] = (await once(share.stdio[3] as Readable, 'data')) as [Buffer];
  if (report.toString() !== 'ready\n') throw new Error(report.toString());
  return {
    connect: () => NinepClient.connect({ path: socket }),
    export: directory,
    socket,
    pid: share.pid!,
    stop: async () => {
      share.kill('SIGTERM');
      await ended;
      removeTree(directory);
      rmSync(socket, { force: true });
    },
  };
}

export async function startDiod(): Promise<RunningOnSocket> {
  const directory = makeExport();
  const socket = `${directory}.sock`;
  const options = ['-f', '-n', '-N', '-e', directory, '-U', 'root', '-L', 'stderr', '-l', socket];
  const diod = spawn(DIOD, options, { stdio: 'ignore' });
  const ended = once(diod, 'exit');
  await vi.waitUntil(() => existsSync(socket), { timeout: 10_000 * patience });
  return {
    connect: () => NinepClient.connect({ path: socket }),
    export: directory,
    socket,
    pid: diod.pid!,
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
