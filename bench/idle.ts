import fs from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { sleepsOf } from '../harness/sleeps.js';
import { lstatOf } from './client/cycles.js';
import { type Contestant, ourHelper, start } from './contestants.js';
import { close } from './libc.js';
import { progress } from './progress.js';
import { median, sum } from './statistics.js';

export interface IdleResult {
  readonly helpers: number;
  readonly seconds: number;
  /** Of all together: CPU time in ms, and how often any thread of theirs ran. */
  readonly cpu: number;
  readonly wakeUps: number;
}

/** From SIGTERM under constant load to the end of the session, in milliseconds: median and longest. */
export interface SignalResult {
  readonly median: number;
  readonly longest: number;
  readonly rounds: number;
}

/** A helper is idle after this time: about eight seconds after the last work V8 collects its garbage, once. */
const SETTLE_MS = 15_000;

/** Helpers that nobody asks anything. */
export async function measureIdle(exported: string, count: number, seconds: number): Promise<IdleResult> {
  progress(`scale: ${count} idle for ${seconds} s`);
  const helpers = Array.from({ length: count }, () => start(ourHelper, exported));
  try {
    await pause(seconds === 1 ? 1000 : SETTLE_MS);
    const cpu = (): number => sum(helpers.map((helper) => helper.cpu.now())) / 1e6;
    const switches = (): number =>
      sum(helpers.flatMap(({ pid }) => threadsOf(pid).map((id) => sleepsOf(pid, id))));
    const before = { cpu: cpu(), switches: switches() };
    await pause(seconds * 1000);
    return { helpers: count, seconds, cpu: cpu() - before.cpu, wakeUps: switches() - before.switches };
  } finally {
    await Promise.all(helpers.map((helper) => helper.stop()));
  }
}

function threadsOf(pid: number): readonly string[] {
  return fs.readdirSync(`/proc/${pid}/task`);
}

/** A signal while requests keep coming. */
export async function measureSignal(exported: string, rounds: number): Promise<SignalResult> {
  progress('scale: a signal under constant load');
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) times.push(await signalTime(ourHelper, exported));
  return { median: median(times), longest: Math.max(...times), rounds };
}

/** Keeps asking until the helper is gone. */
async function signalTime(contestant: Contestant, exported: string): Promise<number> {
  const helper = start(contestant, exported);
  const request = lstatOf('/work/file');
  const until = performance.now() + 50;
  while (performance.now() < until) helper.client.exchange(request);
  process.kill(helper.pid, 'SIGTERM');
  const sent = performance.now();
  try {
    for (;;) {
      const descriptor = helper.client.exchange(request);
      if (descriptor >= 0) close(descriptor);
    }
  } catch {
    const elapsed = performance.now() - sent;
    await helper.stop();
    return elapsed;
  }
}
