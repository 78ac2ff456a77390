/** A mount namespace that stands for the host, with a helper that serves a directory of it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, vi } from 'vitest';
import { type Session, sessionForTest } from './helper-process.js';
import { patience } from './patience.js';
import { requests } from './requests.js';
import { exportForTest } from './tree.js';
import type { WireClient } from './wire-client.js';

export const PATIENCE = { timeout: 20_000 * patience, interval: 20 };

/** A mount namespace that stands for the host: what is mounted there goes with the test. */
export class Host {
  readonly #process: ChildProcess;

  constructor(process: ChildProcess) {
    this.#process = process;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get enter(): readonly string[] {
    return ['nsenter', '--mount', `--target=${this.pid}`];
  }

  run(script: string): string {
    const [program = '', ...args] = this.enter;
    return execFileSync(program, [...args, 'sh', '-ec', script], { encoding: 'utf8' }).trim();
  }
}

export async function hostForTest(): Promise<Host> {
  const ready = 'echo ready; exec sleep 600';
  const child = spawn('unshare', ['--mount', 'sh', '-c', ready], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  await once(child.stdout, 'data');
  return new Host(child);
}

export interface Served extends Session {
  readonly host: Host;
  readonly directory: string;
}

/** @param before a script of the host's before the helper starts, in the export */
export async function serve(args: readonly string[] = [], before = ''): Promise<Served> {
  const host = await hostForTest();
  const directory = exportForTest();
  for (const name of ['disk', 'other']) mkdirSync(join(directory, name));
  if (before !== '') host.run(`cd ${directory}; ${before}`);
  const session = sessionForTest(directory, { wrapper: host.enter, args });
  expect(session.client.request(requests.lstat('/')).errno).toBe(0);
  return { ...session, host, directory };
}

export const seen = (client: WireClient, path: string): number => client.request(requests.lstat(path)).errno;

export function until(client: WireClient, path: string, errno: number): Promise<void> {
  return vi.waitFor(() => {
    expect(seen(client, path)).toBe(errno);
  }, PATIENCE);
}

/** How many mounts the helper has at a path, and what is in all of them. */
export function countAt({ helper }: Session, path: string): number {
  const mounts = readFileSync(`/proc/${helper.pid}/mounts`, 'utf8').split('\n');
  return mounts.filter((mount) => mount.split(' ')[1] === path).length;
}

/** The options of what is mounted there, as the helper has it. */
export function optionsOf({ helper }: Session, path: string): readonly string[] {
  const mounts = readFileSync(`/proc/${helper.pid}/mounts`, 'utf8').split('\n');
  const line = mounts.findLast((mount) => mount.split(' ')[1] === path);
  return line?.split(' ')[3]?.split(',') ?? [];
}

/** The process that follows the host's mounts for a helper, and has a pidfd of it. */
export function followerOf(helper: number): number | undefined {
  const found = readdirSync('/proc').find((pid) => {
    try {
      return (
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('follow.js') &&
        readdirSync(`/proc/${pid}/fdinfo`).some((descriptor) =>
          readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, 'utf8').includes(`\nPid:\t${helper}\n`),
        )
      );
    } catch {
      // not a process, or one that has just ended
      return false;
    }
  });
  return found === undefined ? undefined : Number(found);
}

/** Whether the host still has it. */
export function isMounted(host: Host, path: string): boolean {
  return host.run(`mountpoint -q '${path}' && echo yes || echo no`) === 'yes';
}
