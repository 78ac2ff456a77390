import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Contestant, ended, Export, ourHelper, referenceHelper, start } from './contestants.js';
import { cycles } from './client/cycles.js';
import { Clock, close, usleep } from './libc.js';
import { progress } from './progress.js';

/** System calls of one operation by the name of the step: the average number, and which. */
export type CallCounts = Readonly<
  Record<string, { readonly count: number; readonly calls: readonly string[] }>
>;

export interface SystemCallResult {
  readonly ours: CallCounts;
  readonly reference: CallCounts;
}

/** Between two requests, so that what a helper does after its reply is counted to the right one: microseconds. */
const PAUSE_US = 2000;

/** Ways of waiting for a request, which depend on when it comes and not on what it asks for; and V8's own memory. */
const besides = /^(epoll_\w+|poll|ppoll|futex|restart_syscall|mmap|munmap|mprotect|madvise)$/;

/** The same by several names, depending on who waited. */
const sameAs: Readonly<Record<string, string>> = {
  read: 'receive',
  recvfrom: 'receive',
  sendto: 'send',
  write: 'send',
};

interface Call {
  readonly at: number;
  readonly name: string;
}

interface Request {
  readonly at: number;
  readonly step: string;
}

/** Counts with strace(1) what each helper asks of the kernel, for every step of every cycle. */
export async function measureSystemCalls(quick: boolean): Promise<SystemCallResult | undefined> {
  if (!isInstalled('strace')) return undefined;
  progress('system calls: ours');
  const ours = await countCalls(ourHelper, quick ? 3 : 10);
  progress('system calls: the C helper');
  return { ours, reference: await countCalls(referenceHelper, quick ? 3 : 10) };
}

function isInstalled(program: string): boolean {
  return (process.env['PATH'] ?? '')
    .split(':')
    .some((directory) => fs.existsSync(path.join(directory, program)));
}

async function countCalls(contestant: Contestant, repetitions: number): Promise<CallCounts> {
  const exported = new Export();
  const log = path.join(os.tmpdir(), `virtfs-bench-${process.pid}.strace`);
  const helper = start(contestant, exported.path);
  try {
    const strace = spawn('strace', ['-q', '-ttt', '-T', '-o', log, '-p', String(helper.pid)], {
      stdio: 'ignore',
    });
    await untilTraced(helper.pid);
    const clock = Clock.wall();
    const requests: Request[] = [];
    for (let repetition = 0; repetition < repetitions; repetition++) {
      for (const step of cycles.flatMap((cycle) => cycle.steps)) {
        requests.push({ at: clock.now() / 1e9, step: step.name });
        const descriptor = helper.client.exchange(step);
        if (descriptor >= 0) close(descriptor);
        usleep(PAUSE_US);
      }
    }
    strace.kill('SIGINT');
    await ended(strace);
    return count(requests, parse(fs.readFileSync(log, 'utf8')));
  } finally {
    await helper.stop();
    exported.remove();
    fs.rmSync(log, { force: true });
  }
}

async function untilTraced(pid: number): Promise<void> {
  const status = `/proc/${pid}/status`;
  for (let attempt = 0; attempt < 200; attempt++) {
    if (!/TracerPid:\t0$/m.test(fs.readFileSync(status, 'utf8'))) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('strace did not attach');
}

/**
 * Lines such as `1700000000.123456 statx(AT_FDCWD, ...) = 0 <0.000012>`, without those that do nothing for a request.
 * A call counts where it ended: a receive may have waited since before the request.
 */
function parse(log: string): Call[] {
  return log.split('\n').flatMap((line) => {
    const [, at = '', name = ''] = /^(\d+\.\d+) (\w+)\(/.exec(line) ?? [];
    if (name === '' || besides.test(name)) return [];
    // asked, and nothing had come
    if (line.includes('EAGAIN')) return [];
    const took = Number(/<([\d.]+)>$/.exec(line)?.[1] ?? 0);
    return [{ at: Number(at) + took, name: sameAs[name] ?? name }];
  });
}

/** Gives each call to the request that was sent last before it. */
function count(requests: readonly Request[], calls: readonly Call[]): CallCounts {
  const totals = new Map<string, { requests: number; calls: Map<string, number> }>();
  let next = 0;
  for (const [index, { step }] of requests.entries()) {
    const total = totals.get(step) ?? { requests: 0, calls: new Map<string, number>() };
    totals.set(step, total);
    total.requests++;
    const end = requests[index + 1]?.at ?? Infinity;
    for (; next < calls.length; next++) {
      const call = calls[next];
      if (call === undefined || call.at >= end) break;
      total.calls.set(call.name, (total.calls.get(call.name) ?? 0) + 1);
    }
  }
  return Object.fromEntries([...totals].map(([step, total]) => [step, average(total)]));
}

function average(total: {
  readonly requests: number;
  readonly calls: ReadonlyMap<string, number>;
}): CallCounts[string] {
  const names = [...total.calls].map(([name, times]) => {
    const each = times / total.requests;
    const rounded = Math.round(each * 10) / 10;
    return rounded === 1 ? name : `${name} ×${rounded}`;
  });
  const all = [...total.calls.values()].reduce((sum, times) => sum + times, 0);
  return { count: all / total.requests, calls: names };
}
