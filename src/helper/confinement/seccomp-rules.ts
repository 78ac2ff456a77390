import {
  allowWhen,
  any,
  flags,
  forbidUnless,
  noneOf,
  oneOf,
  type Rule,
  zero,
} from '../../confinement/argument-matchers.js';
import type { AllowedCall } from './seccomp-calls.js';

/** What the rules name of the process that the filter is for. */
export interface FilteredProcess {
  readonly pid: number;
  /** Its sockets through which a message could go to any other datagram socket of the host. */
  readonly datagramSockets: readonly number[];
}

/** The id -1 of setresuid(2) and setresgid(2): stays as it is. */
const UNCHANGED = 0xffff_ffff;

/** clone(2): CLONE_VM, FS, FILES, SIGHAND, THREAD and SYSVSEM make a thread that shares everything. */
const THREAD = 0x5_0f00;
/** CLONE_SETTLS, PARENT_SETTID, CHILD_CLEARTID, and CLONE_DETACHED, which does nothing. */
const THREAD_ALLOWED = THREAD | 0x78_0000;

/** PROT_READ, PROT_WRITE, PROT_EXEC, and on arm64 PROT_BTI and PROT_MTE. */
const PROTECTION = process.arch === 'arm64' ? 0x37 : 0x7;
const MAP_PRIVATE = 0x02;
const MAP_ANONYMOUS = 0x20;
/** MAP_FIXED, MAP_NORESERVE, MAP_STACK and MAP_FIXED_NOREPLACE. */
const MAP_ALLOWED = MAP_PRIVATE | MAP_ANONYMOUS | 0x10 | 0x4000 | 0x2_0000 | 0x10_0000;
/**
 * MADV_NORMAL, RANDOM, SEQUENTIAL, WILLNEED, DONTNEED, FREE, DONTFORK, HUGEPAGE, NOHUGEPAGE, DONTDUMP, WIPEONFORK,
 * COLD, PAGEOUT, COLLAPSE, GUARD_INSTALL and GUARD_REMOVE. Not those that share pages or poison memory.
 */
const MEMORY_ADVICE = [0, 1, 2, 3, 4, 8, 10, 14, 15, 16, 18, 20, 21, 25, 102, 103];
/** MREMAP_MAYMOVE and MREMAP_FIXED. */
const REMAP_ALLOWED = 3;

/** FUTEX_WAIT, WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP, WAIT_BITSET and WAKE_BITSET. Not those with priority inheritance. */
const FUTEX_OPERATIONS = [0, 1, 3, 4, 5, 9, 10];
/** Each with FUTEX_PRIVATE_FLAG, FUTEX_CLOCK_REALTIME, both or neither. */
const FUTEX_ALLOWED = [0, 0x80, 0x100, 0x180].flatMap((flag) =>
  FUTEX_OPERATIONS.map((operation) => operation | flag),
);
/** MEMBARRIER_CMD_QUERY, and what concerns only this process: PRIVATE_EXPEDITED, its SYNC_CORE, and both REGISTERs. */
const MEMBARRIER_ALLOWED = [0, 8, 16, 32, 64];

const F_DUPFD = 0;
const F_DUPFD_CLOEXEC = 1030;
const F_SETFL = 4;
/** F_GETFD, F_SETFD and F_GETFL. */
const DESCRIPTOR_COMMANDS = [1, 2, 3];
/** Has the kernel send signals: to whom, F_SETOWN says. */
const O_ASYNC = 0x2000;

const SOL_SOCKET = 1;
/** SO_TYPE, SO_ERROR, SO_PEERCRED, SO_ACCEPTCONN, SO_PROTOCOL and SO_DOMAIN. */
const READ_OPTIONS = [3, 4, 17, 30, 38, 39];
/** SO_SNDBUF; SO_RCVTIMEO and SO_SNDTIMEO, each also by its number with 64-bit time. */
const WRITTEN_OPTIONS = [7, 20, 21, 66, 67];

/** TCGETS, FIONREAD, FIONBIO, FIOCLEX: what libuv asks of descriptors. */
const IOCTLS = [0x5401, 0x541b, 0x5421, 0x5451];
/** PR_SET_NAME and PR_GET_NAME. */
const NAMES = [15, 16];
const PR_SET_DUMPABLE = 4;
const PR_SET_VMA = 0x5356_4d41;
const PR_SET_VMA_ANON_NAME = 0;

const ITIMER_REAL = 0;

/**
 * The calls that some argument would make a way out of the process, or of what it is for. All others of `allowedCalls`
 * reach nothing but the process itself, its descriptors and the export, whatever their arguments.
 */
export function argumentRules({
  pid,
  datagramSockets,
}: FilteredProcess): Readonly<Partial<Record<AllowedCall, Rule>>> {
  // without such sockets nothing is looked at: then the kernel does not run the filter for these two calls
  const messages: Partial<Record<AllowedCall, Rule>> =
    datagramSockets.length === 0
      ? {}
      : {
          // a connected socket needs no address
          sendto: allowWhen(
            'to the peer of the socket',
            [noneOf(...datagramSockets)],
            [any, any, any, any, zero],
          ),
          // its address is in memory, where no filter can look
          sendmsg: allowWhen('on stream sockets', [noneOf(...datagramSockets)]),
        };
  // /dev/null takes the place of the terminal
  const onlyStandard = allowWhen('onto standard input and outputs', [
    noneOf(...datagramSockets),
    oneOf(0, 1, 2),
  ]);
  return {
    ...messages,
    setresuid: forbidUnless('the effective id', [oneOf(UNCHANGED), any, oneOf(UNCHANGED)]),
    setresgid: forbidUnless('the effective id', [oneOf(UNCHANGED), any, oneOf(UNCHANGED)]),
    setitimer: allowWhen('ITIMER_REAL', [oneOf(ITIMER_REAL)]),
    futex: allowWhen('without priority inheritance', [any, oneOf(...FUTEX_ALLOWED)]),
    mmap: allowWhen('private anonymous memory', [
      any,
      any,
      flags(0, PROTECTION),
      flags(MAP_PRIVATE | MAP_ANONYMOUS, MAP_ALLOWED),
    ]),
    mprotect: allowWhen('read, write, execute', [any, any, flags(0, PROTECTION)]),
    pkey_mprotect: allowWhen('read, write, execute', [any, any, flags(0, PROTECTION)]),
    madvise: allowWhen('advice on its own memory', [any, any, oneOf(...MEMORY_ADVICE)]),
    mremap: allowWhen('to grow or move', [any, any, any, flags(0, REMAP_ALLOWED)]),
    membarrier: allowWhen('its own threads', [oneOf(...MEMBARRIER_ALLOWED)]),
    fcntl: allowWhen(
      'flags, without O_ASYNC, and copies of stream sockets and files',
      [any, oneOf(...DESCRIPTOR_COMMANDS)],
      [any, oneOf(F_SETFL), flags(0, ~O_ASYNC)],
      // a copy of a datagram socket would not be known as one
      [noneOf(...datagramSockets), oneOf(F_DUPFD, F_DUPFD_CLOEXEC)],
    ),
    dup2: onlyStandard,
    dup3: onlyStandard,
    ioctl: allowWhen('TCGETS, FIONREAD, FIONBIO, FIOCLEX', [any, oneOf(...IOCTLS)]),
    getsockopt: allowWhen('type, state and peer', [any, oneOf(SOL_SOCKET), oneOf(...READ_OPTIONS)]),
    setsockopt: allowWhen('timeouts and the send buffer', [
      any,
      oneOf(SOL_SOCKET),
      oneOf(...WRITTEN_OPTIONS),
    ]),
    prctl: allowWhen(
      'names of threads and memory, to be not dumpable',
      [oneOf(PR_SET_DUMPABLE), zero],
      [oneOf(...NAMES)],
      [oneOf(PR_SET_VMA), oneOf(PR_SET_VMA_ANON_NAME)],
    ),
    prlimit64: forbidUnless('to read its own limits', [oneOf(0, pid), any, zero]),
    tgkill: forbidUnless('its own threads', [oneOf(pid)]),
    clone: forbidUnless('threads', [flags(THREAD, THREAD_ALLOWED)]),
  };
}
