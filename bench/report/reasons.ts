import type { Target } from './targets.js';

/** Why a target can be out of reach, by the beginning of the name of what misses it; each was tried or counted. */
const reasons: Readonly<Record<string, string>> = {
  open: `**open** looks at the type through \`O_PATH\` and then opens the same inode by its name in \`/proc/self/fd\`, so
  that no device and no fifo is ever opened. In C this alone takes 6.3 µs where the open, fstat and close of the C helper
  take 2.7; the minimal C loop does the same, and shows the limit.`,
  truncate: `**truncate** opens the file in the same way, since truncate(2) waits for whoever holds a lease on it.`,
  'remove (directory)': `**remove** tries unlink and then rmdir, as the C helper does: the file system's time is all of it.`,
  '32 busy helpers': `**Many busy helpers** on few cores: between two requests of one all the others run, so that each request
  finds caches and TLB cold, and one in Node touches more memory than one in C. Neither polling nor libuv is the reason:
  without them it is the same.`,
};

/** A list of the reasons why targets were missed, or nothing. */
export function reasonsFor(targets: readonly Target[]): string {
  const missed = targets.flatMap(({ missedBy }) => missedBy ?? []);
  const told = Object.entries(reasons).filter(([name]) => missed.some((by) => by.startsWith(name)));
  return told.map(([, reason]) => `- ${reason}`).join('\n');
}
