import type { Target } from './targets.js';

/** Why a target can be out of reach, by the beginning of the name of what misses it; each shown by the counts below. */
const reasons: Readonly<Record<string, string>> = {
  open: `**open** looks at the type through \`O_PATH\` and then opens the same inode by its name in \`/proc/self/fd\`, so
  that no device and no fifo is ever opened; the C helper opens first and looks then. The minimal C loop does the same as
  we, and is no quicker than the C helper; the minimal Node loop adds what koffi and V8 take for the same calls, and is
  above the target already. Ours also reads the clock twice, checks, and counts.`,
  lstat: `**all others:** with a core free the kernel decides where client and helper run. On one core nobody has to be woken on
  another, and there is nothing to be saved but the work itself, in which V8, koffi and the seccomp filter take about as
  much more than C as one receive less saves; the minimal C loop takes three quarters of it. On two cores a round trip
  takes several times as long, nearly all of it waking, which polling saves. The kernel goes from one to the other between
  turns, whoever is measured, so that those figures compare places as often as helpers: see those of a core each.`,
  'remove (directory)': `**remove (directory)** is the file system's own work; the minimal C loop that polls is the limit.`,
  untar: `**the guest's work:** a request wakes three threads of QEMU and the helper. The limits are the minimal C loop, for a
  helper that sleeps between requests, and QEMU's \`local\` driver, which asks no helper at all: neither is far below the
  C helper, most of the time is the guest's and QEMU's own.`,
  '32 busy': `**many busy helpers:** each has code and data of its own that V8 made, where all C helpers run the same code, and
  the caches of two cores are not enough for all. Eight requests of different kinds touch 667 cache lines of a helper; of
  the minimal Node loop, which has no statistics, no checks and no seccomp filter, 293: that is the limit. Polling does
  not change it. What helped, and what did not, is in ARCHITECTURE.md.`,
  ready: `**ready, first answer:** the least that is possible with a second program that never had full rights, Node and koffi
  twice and nothing of ours, takes all of the target (see "Start and memory"). The rest is compiling the two programs (8 ms),
  pino (6), node:net (3), mounts and the change of root (4). A code cache of V8's would save 9 ms, and koffi's JavaScript
  in the bundles 4; neither is done: V8 takes a cache for right as long as the length of the source is, and package
  managers put koffi's binaries in different places.`,
  'a signal': `**a signal** that comes while a request is worked on waits until libuv is asked again, at most 4 ms.`,
  truncate: `**truncate** sets a timer before and stops it after truncate(2), which else waits up to 45 seconds for whoever
  holds a lease on the file: two system calls more than the minimal C loop, and one more than the C helper, which
  receives each request in two.`,
};

/** A list of the reasons why targets were missed, or nothing. */
export function reasonsFor(targets: readonly Target[]): string {
  const missed = targets.flatMap(({ missedBy }) => missedBy ?? []);
  const told = Object.entries(reasons).filter(([name]) => missed.some((by) => by.startsWith(name)));
  return told.map(([, reason]) => `- ${reason}`).join('\n');
}
