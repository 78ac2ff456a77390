import type { Target } from './targets.js';

/** Why a target can be out of reach, by the beginning of the name of what misses it; each shown by the counts below. */
const reasons: Readonly<Record<string, string>> = {
  open: `**open** looks at the type through \`O_PATH\` and then opens the same inode by its name in \`/proc/self/fd\`, so
  that no device and no fifo is ever opened. The minimal C loop does the same, and shows the limit.`,
  truncate: `**truncate** opens the file in the same way, since truncate(2) waits for whoever holds a lease on it.`,
};

/** A list of the reasons why targets were missed, or nothing. */
export function reasonsFor(targets: readonly Target[]): string {
  const missed = targets.flatMap(({ missedBy }) => missedBy ?? []);
  const told = Object.entries(reasons).filter(([name]) => missed.some((by) => by.startsWith(name)));
  return told.map(([, reason]) => `- ${reason}`).join('\n');
}
