import { readdirSync, readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { StartError } from '../exit-status.js';

/** All that V8 would let its other threads do. */
const BACKGROUND_WORK = [
  'concurrent-recompilation',
  'concurrent-marking',
  'concurrent-sweeping',
  'concurrent-array-buffer-sweeping',
  'parallel-marking',
  'parallel-scavenge',
  'parallel-compaction',
  'parallel-pointer-update',
] as const;

/** A thread works off what it has been given within milliseconds; this is for a machine that has no time for it. */
const PATIENCE_MS = 10_000;

/**
 * Leaves all work to this thread from now on, so that the process can be forked.
 *
 * A child of a bare clone(2) has only the thread that called it. What another thread held at that moment stays locked in
 * it for ever, malloc's lock among them; it would hang at its first allocation. (fork(2) of libc looks after malloc, but
 * its child does not share the root directory.)
 */
export function keepWorkOnThisThread(): void {
  for (const work of BACKGROUND_WORK) setFlagsFromString(`--no-${work}`);
}

/** Waits until the other threads have done what they were given before. Throws a StartError. */
export function waitForOtherThreads(): void {
  const end = performance.now() + PATIENCE_MS;
  while (!allSleep()) {
    if (performance.now() > end)
      throw new StartError('the threads of Node do not come to rest; start it again');
  }
}

/** Whether all threads but the main one sleep: proc_pid_stat(5), the state behind the name in brackets. */
function allSleep(): boolean {
  const tasks = '/proc/self/task';
  return readdirSync(tasks)
    .filter((thread) => thread !== String(process.pid))
    .every((thread) => readFileSync(`${tasks}/${thread}/stat`, 'latin1').includes(') S '));
}
