import { readFileSync } from 'node:fs';

/** How often a thread (the main one, unless another is named) of a process went to sleep: proc(5), /proc/PID/status. */
export function sleepsOf(pid: number, thread: number | string = pid): number {
  const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
  return Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1]);
}
