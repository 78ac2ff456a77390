import type { Target } from './targets.js';

/** Why a target can be out of reach, by the beginning of the name of what misses it; each shown by the counts below. */
const reasons: Readonly<Record<string, string>> = {
  open: `**open** looks at the type through \`O_PATH\` and then opens the same inode by its name in \`/proc/self/fd\`, so
  that no device and no fifo is ever opened. The minimal C loop does the same, and shows the limit.`,
  lstat: `**all others, each on a core of its own:** what is left is waking the client. The minimal C loop that polls all
  the time does nothing else, and its time is the limit; where the C helper takes 32 µs, half of it is below that.
  Where the kernel puts client and helper on one core although another one is free, nobody has to be woken on another
  core, and there is nothing to be saved.`,
  untar: `**the guest's work:** a request wakes three threads of QEMU and the helper; polling saves one of these. QEMU's \`local\`
  driver, which asks no helper at all, shows how little of the time is the helper's.`,
  '32 busy': `**many busy helpers:** each has code of its own that V8 compiled, too much for the caches of two cores, where all C
  helpers run the same. It is no matter of polling: 16 helpers with \`--poll-us 0\` were as slow in a run by hand.`,
  ready: `**ready:** Node starts twice, so 2 × is spent before anything of ours runs; loading koffi takes 6 ms each time, and
  pino 7 ms. The bare \`node -e 0\` of this run reads the file of NODE_EXTRA_CA_CERTS, as whatever Node starts on that
  machine does; without the variable it takes 23 ms, and the helper is ready after 4 × that.`,
  'a signal': `**a signal** waits for the next turn of the event loop, at most 5 ms, and then for the end of the process.`,
  truncate: `**truncate** opens the file in the same way, since truncate(2) waits for whoever holds a lease on it.`,
};

/** A list of the reasons why targets were missed, or nothing. */
export function reasonsFor(targets: readonly Target[]): string {
  const missed = targets.flatMap(({ missedBy }) => missedBy ?? []);
  const told = Object.entries(reasons).filter(([name]) => missed.some((by) => by.startsWith(name)));
  return told.map(([, reason]) => `- ${reason}`).join('\n');
}
