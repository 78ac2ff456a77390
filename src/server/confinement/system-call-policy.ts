import type { SystemCall } from '../../abi/system-calls.js';
import {
  allowWhen,
  any,
  flags,
  type Matcher,
  noneOf,
  oneOf,
  type Rule,
} from '../../confinement/argument-matchers.js';
import { forbiddenToAll, runTimeCalls, runTimeRules } from '../../confinement/run-time-policy.js';
import type { FilteredProcess, SystemCallPolicy } from '../../confinement/system-call-policy.js';

/**
 * What the server may call: to talk to the client and to the helper, and to work on the files that the helper opened for
 * it. Nothing that takes a path, makes a socket or sends a signal to another process.
 */
export const allowedCalls = [
  // The most frequent first.
  'recvfrom',
  'sendto',
  'recvmsg',
  'sendmsg',
  'close',
  'preadv2',
  'pwritev2',
  'preadv',
  'pwritev',
  'pread64',
  'pwrite64',
  'statx',
  'newfstatat',
  'fstat',
  'fstatfs',
  'getdents64',
  'ftruncate',
  'fallocate',
  'fdatasync',
  'setitimer',
  ...runTimeCalls,
] as const satisfies readonly SystemCall[];

const F_DUPFD = 0;
const F_DUPFD_CLOEXEC = 1030;
const F_SETFL = 4;
/** F_GETFD, F_SETFD and F_GETFL. */
const DESCRIPTOR_COMMANDS = [1, 2, 3];
/** F_OFD_GETLK and F_OFD_SETLK. Not F_OFD_SETLKW, which waits. */
const LOCK_COMMANDS = [36, 37];
const O_ASYNC = 0x2000;
const AT_EMPTY_PATH = 0x1000;
/** AT_SYMLINK_NOFOLLOW, AT_NO_AUTOMOUNT, AT_STATX_FORCE_SYNC and AT_STATX_DONT_SYNC. */
const STAT_FLAGS = 0x6900;
const ITIMER_REAL = 0;

/** The log may be a file of the operator's, of which nothing is to be read and nothing to be changed. */
const notStandard: Matcher = noneOf(0, 1, 2);
const onFiles: Rule = allowWhen('not on standard input and outputs', [notStandard]);

export function argumentRules(filtered: FilteredProcess): Readonly<Partial<Record<SystemCall, Rule>>> {
  const ofDescriptor = 'with AT_EMPTY_PATH';
  return {
    ...runTimeRules(filtered),
    preadv2: onFiles,
    pwritev2: onFiles,
    preadv: onFiles,
    pwritev: onFiles,
    pread64: onFiles,
    pwrite64: onFiles,
    ftruncate: onFiles,
    fallocate: onFiles,
    lseek: onFiles,
    read: onFiles,
    readv: onFiles,
    statx: allowWhen(ofDescriptor, [any, any, flags(AT_EMPTY_PATH, STAT_FLAGS)]),
    newfstatat: allowWhen(ofDescriptor, [any, any, any, flags(AT_EMPTY_PATH, STAT_FLAGS)]),
    setitimer: allowWhen('ITIMER_REAL', [oneOf(ITIMER_REAL)]),
    fcntl: allowWhen(
      'flags, without O_ASYNC, copies, and locks that do not wait',
      [any, oneOf(...DESCRIPTOR_COMMANDS)],
      [any, oneOf(F_SETFL), flags(0, ~O_ASYNC)],
      // a copy would not be known as one of these
      [noneOf(0, 1, 2, ...filtered.datagramSockets), oneOf(F_DUPFD, F_DUPFD_CLOEXEC)],
      [any, oneOf(...LOCK_COMMANDS)],
    ),
  };
}

/** PROT_READ and PROT_WRITE, never PROT_EXEC. */
const DATA_PROTECTION = 3;
const MAP_SHARED = 1;
/** In the place of pages that were reserved for it. */
const MAP_FIXED = 0x10;
const MAP_NORESERVE = 0x4000;

/** Where the client is an emulator, which shares the memory of its guest: also to map that. */
export function vhostUserPolicy(filtered: FilteredProcess): SystemCallPolicy {
  const { allowed, rules, forbidden } = serverPolicy(filtered);
  const mmap = allowWhen(
    `${rules.mmap?.only}, and data of files that others change`,
    ...(rules.mmap?.when ?? []),
    [
      any,
      any,
      flags(0, DATA_PROTECTION),
      flags(MAP_SHARED, MAP_SHARED | MAP_FIXED | MAP_NORESERVE),
      notStandard,
    ],
  );
  return { allowed, rules: { ...rules, mmap }, forbidden };
}

/** The policy of the server. */
export function serverPolicy(filtered: FilteredProcess): SystemCallPolicy {
  return { allowed: allowedCalls, rules: argumentRules(filtered), forbidden: forbiddenToAll };
}
