import type { Target } from './targets.js';

/** Why a target can be out of reach, by the beginning of the name of what misses it; each shown by the figures below. */
const reasons: Readonly<Record<string, string>> = {
  open: `**open** looks at the type through \`O_PATH\` and then opens the same inode by its name in \`/proc/self/fd\`, so
  that no device and no fifo is ever opened; the C helper opens first and looks then. The minimal C loop does the same as
  we, and is no quicker than the C helper; the minimal Node loop adds what koffi and V8 take for the same calls. Neither
  meets the targets on one core.`,
  lstat: `**where polling helps** (a core free, or a core each) it saves the waking of a process and nothing else. The limits are
  the loops that poll all the time, in the table below, and do nothing else: with a core each ours is within 0.1 of the one
  in Node for nearly every request, and that within 0.1 of the one in C. How far below the C helper all of them are
  depends on the machine: where the C loop takes 4 µs for an lstat on one core (an Intel Xeon), ours took 0.27 to 0.32 of
  the C helper's time with a core each; where it takes 15 (an AMD EPYC), 0.6 to 0.8. With a core free
  the kernel may also put both on one, and those figures then compare places.`,
  '9P server': `**the 9P server:** a request wakes three processes in turn where diod's wakes two threads. The minimal C pair shows what
  that takes; a server that polls saves half of it, as long as there is a core to poll on. Ours adds what V8 and koffi take.
  Writes go to a thread of libuv's pool, since ext4 does not say whether a write would wait (RWF_NOWAIT: EOPNOTSUPP).`,
  'all together': `**the guest's work over the proxy driver:** a request wakes three threads of QEMU and the helper, and most of the time is the
  guest's and QEMU's own. QEMU's \`local\` driver, which asks no helper at all, takes some 0.8 of the C helper's time itself,
  and the minimal C loop, a helper that does nothing but the calls, takes as long as the C helper.`,
  llistxattr: `**on one core, or without polling,** nobody has to be woken on another core, and there is nothing to be saved but one
  receive. The minimal Node loop shows what koffi and V8 make of that: for most requests 0.9 to 1.05 of the C helper.
  What it lacks takes up to a tenth more, each part left out in turn: the clock that latencies and polling need (2 %), the
  counting (1), the time limit of a receive that leaves the rest to libuv (1), the seccomp filter (1); the remainder is
  decoding, checking and choosing what to call. What is above the target is above it by that tenth.`,
  'remove (directory)': `**remove (directory)** is the file system's own work: the minimal C loops take nearly as long.`,
  '32 busy': `**many busy helpers:** each has code and data of its own that V8 made, where all C helpers run the same code, and
  the caches of two cores are not enough for all. Eight requests of different kinds touch 678 cache lines of a helper; of
  the minimal Node loop 301, and it is hardly quicker than the C helper, so that next to nothing may be added to it. But what
  it lacks is needed: to look for signals and timers (2 %), the clock (1 to 2), libuv's epoll for an idle helper (1 to 2),
  GETVERSION (1.5), the seccomp filter (1), and all checks. What helped, and what did not, is in docs/decisions/.`,
  ready: `**ready, first answer:** the least that is possible with a second program that never had full rights, Node and koffi
  twice and nothing of ours, takes all of the target. The rest, where bare node takes 22 ms, is
  compiling the two programs (8 ms), pino (6), node:net (3), mounts and the change of root (4). A code cache of V8's would save 9 ms, and
  koffi's JavaScript in the bundles 4; neither is done: V8 takes a cache for right as long as the length of the source is,
  and package managers put koffi's binaries in different places.`,
  'a signal': `**a signal** that comes while a request is worked on waits until libuv is asked again, at most 4 ms.`,
  truncate: `**truncate** sets a timer before and stops it after truncate(2), which else waits up to 45 seconds for whoever
  holds a lease on the file: two system calls more than the minimal C loop, and one more than the C helper, which
  receives each request in two.`,
};

/** A list of the reasons why targets were missed, or nothing. */
export function reasonsFor(targets: readonly Target[]): string {
  const missed = targets.flatMap((target) => target.missed ?? []);
  const told = Object.entries(reasons).filter(([begin]) => missed.some(({ name }) => name.startsWith(begin)));
  return told.map(([, reason]) => `- ${reason}`).join('\n');
}
