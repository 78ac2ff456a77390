import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { sleepsOf } from '../../harness/sleeps.js';
import { ended, Export, ours } from '../contestants.js';
import { Clock } from '../libc.js';
import { processTree } from '../process-tree.js';
import { progress } from '../progress.js';
import { rollup } from '../startup.js';
import { sum } from '../statistics.js';
import { NinepClient } from './client.js';
import { connectedTo } from './servers.js';

/** Of one `share --keep-listening` and the pairs of its clients. */
export interface FootprintResult {
  readonly pairs: number;
  /** PSS in MB: of all processes with one pair, and of each pair more. */
  readonly one: number;
  readonly eachMore: number;
  /** Of all processes while nobody asks anything: CPU time in ms, and how often any thread went to sleep. */
  readonly idleSeconds: number;
  readonly idleCpu: number;
  readonly wakeUps: number;
}

/** Eight seconds after the last work, or later on a busy machine, V8 collects its garbage, once. */
const SETTLE_MS = 30_000;

export async function measureFootprint(quick: boolean): Promise<FootprintResult> {
  const pairs = quick ? 3 : 9;
  progress(`9P: 1 and ${pairs} pairs, idle`);
  const exported = new Export();
  const socket = path.join(os.tmpdir(), `virtfs-bench-${process.pid}-share.sock`);
  const words = ['share', '--path', exported.path, '--listen', `unix:${socket}`, '--keep-listening'];
  const share = spawn(process.execPath, [ours, ...words, '--log-level', 'error'], { stdio: 'ignore' });
  const pids = (): readonly number[] => processTree(share.pid ?? 0);
  const pss = (): number => sum(pids().map((pid) => rollup(pid, 'Pss')));
  const clients: NinepClient[] = [];
  try {
    clients.push(new NinepClient(await connectedTo(socket), ''));
    await pause(1000);
    const one = pss();
    while (clients.length < pairs) clients.push(new NinepClient(await connectedTo(socket), ''));
    await pause(quick ? 1000 : SETTLE_MS);
    const eachMore = (pss() - one) / (pairs - 1);
    const clocks = pids().map((pid) => Clock.cpuOf(pid));
    const cpu = (): number => sum(clocks.map((clock) => clock.now())) / 1e6;
    const sleeps = (): number =>
      sum(
        pids().flatMap((pid) => fs.readdirSync(`/proc/${pid}/task`).map((thread) => sleepsOf(pid, thread))),
      );
    const before = { cpu: cpu(), sleeps: sleeps() };
    const idleSeconds = quick ? 1 : 5;
    await pause(1000 * idleSeconds);
    return {
      pairs,
      one,
      eachMore,
      idleSeconds,
      idleCpu: cpu() - before.cpu,
      wakeUps: sleeps() - before.sleeps,
    };
  } finally {
    for (const client of clients) client.close();
    share.kill('SIGTERM');
    await ended(share);
    exported.remove();
  }
}
