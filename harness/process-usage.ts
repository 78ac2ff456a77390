/** What a process uses, from /proc: proc(5). */
import { readdirSync, readFileSync } from 'node:fs';

/** The kernel's unit for times in /proc, on every architecture of today. */
const TICKS_PER_SECOND = 100;

/** Resident memory in KiB. */
export function residentKib(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN);
}

/** Seconds of processor time, in the program and in the kernel, of all threads. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // the name of the program may have spaces and parentheses of its own
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });

/** The share of one processor that a process uses during the next moments. */
export async function cpuShare(pid: number, milliseconds: number): Promise<number> {
  const began = performance.now();
  const before = cpuSeconds(pid);
  await pause(milliseconds);
  return ((cpuSeconds(pid) - before) * 1_000) / (performance.now() - began);
}
