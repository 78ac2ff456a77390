import { readdirSync, readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { StartError } from './start-errors.js';

/**
 * All that V8 would let its other threads do: its flags, with the majors of Node that have each, as V8 complains of one
 * that it does not know. `node --v8-options` lists them; `test/nodes` compares.
 *
 * Marking is a matter of its own. Where it is under way, V8 ends the process when it finds that it may not be concurrent
 * or parallel any more ("Check failed: concurrent_marking_handle_ ..."). So no other marking begins, and that one ends.
 * Without incremental marking, marking is done while this thread waits for it.
 */
const BACKGROUND_WORK: Readonly<Record<string, { readonly since?: number; readonly until?: number }>> = {
  'concurrent-recompilation': {},
  // on by default from 24 on
  'concurrent-sparkplug': {},
  'incremental-marking': {},
  'concurrent-sweeping': {},
  'concurrent-array-buffer-sweeping': {},
  'parallel-scavenge': {},
  'parallel-compaction': {},
  'parallel-pointer-update': {},
  'parallel-weak-ref-clearing': { since: 22, until: 24 },
  'parallel-gc-clearing': { since: 26 },
  'parallel-reclaim-unmodified-wrappers': { since: 24 },
};

/** The flags of a major of Node. */
export function backgroundWork(major: number): string[] {
  return Object.entries(BACKGROUND_WORK)
    .filter(([, { since = 0, until = Infinity }]) => since <= major && major <= until)
    .map(([flag]) => flag);
}

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
  const major = Number.parseInt(process.versions.node, 10);
  for (const work of backgroundWork(major)) setFlagsFromString(`--no-${work}`);
}

/** Waits until the other threads have done what they were given before. Throws a StartError. */
export function waitForOtherThreads(): void {
  const end = performance.now() + PATIENCE_MS;
  while (!allSleep()) {
    if (performance.now() > end)
      throw new StartError('threads-busy', 'the threads of Node do not come to rest; start it again');
  }
}

/** Whether all threads but the main one sleep: proc_pid_stat(5), the state behind the name in brackets. */
function allSleep(): boolean {
  const tasks = '/proc/self/task';
  return readdirSync(tasks)
    .filter((thread) => thread !== String(process.pid))
    .every((thread) => readFileSync(`${tasks}/${thread}/stat`, 'latin1').includes(') S '));
}
