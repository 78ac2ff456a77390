import type { SystemCall } from '../abi/system-calls.js';
import { allowWhen, any, flags, forbidUnless, noneOf, oneOf, type Rule, zero } from './argument-matchers.js';
import type { FilteredProcess } from './system-call-policy.js';

/**
 * What every program of ours that serves somebody may call, whatever it serves: to wait, to log,
 * and what its run-time needs. Some of it only with the arguments that the rules below allow. Node 20 to 26
 * call none of what is not here but looks as if they might (eventfd, wait4, access ...) once the filter is there.
 */
export const runTimeCalls = [
  // Waiting, and accepting clients of the socket that already listens.
  'poll',
  'ppoll',
  'accept',
  'accept4',
  'getsockopt',
  'setsockopt',
  'getsockname',
  'shutdown',
  'epoll_wait',
  'epoll_pwait',
  'epoll_pwait2',
  'epoll_ctl',
  // for the event loop of a debugger that an early SIGUSR1 starts, and which is ended before it can listen
  'epoll_create1',
  'eventfd2',
  'pipe2',
  // Logging and the like on descriptors that are open.
  'read',
  'write',
  'readv',
  'writev',
  'fcntl',
  'dup2',
  'dup3',
  'fsync',
  'lseek',
  // What V8, libuv and glibc need to run.
  'futex',
  'sched_yield',
  'mmap',
  'munmap',
  'mprotect',
  'madvise',
  'mremap',
  'brk',
  'rt_sigaction',
  'rt_sigprocmask',
  'rt_sigreturn',
  'sigaltstack',
  'restart_syscall',
  'clock_gettime',
  'clock_getres',
  'clock_nanosleep',
  'nanosleep',
  'gettimeofday',
  'time',
  'getrandom',
  'getpid',
  'gettid',
  'getuid',
  'geteuid',
  'getgid',
  'getegid',
  'tgkill',
  'exit',
  'exit_group',
  'set_robust_list',
  'rseq',
  'membarrier',
  // what any process may ask of any other; glibc does when a thread starts
  'sched_getaffinity',
  'sched_getparam',
  'sched_getscheduler',
  'getrusage',
  'sysinfo',
  'uname',
  'prlimit64',
  'pkey_mprotect',
  'getcpu',
  'clone',
  'ioctl',
  'prctl',
] as const satisfies readonly SystemCall[];
type RunTimeCall = (typeof runTimeCalls)[number] | 'sendto' | 'sendmsg';

/** What nobody calls by mistake: to start a program, to reach beyond the process, to change what confines it. */
export const forbiddenToAll = [
  'execve',
  'execveat',
  'ptrace',
  'process_vm_readv',
  'process_vm_writev',
  'mount',
  'umount2',
  'pivot_root',
  'move_mount',
  'open_tree',
  'fsopen',
  'fsconfig',
  'fsmount',
  'fspick',
  'mount_setattr',
  'chroot',
  'unshare',
  'setns',
  'init_module',
  'finit_module',
  'delete_module',
  'kexec_load',
  'kexec_file_load',
  'bpf',
  'perf_event_open',
  'userfaultfd',
  'add_key',
  'request_key',
  'keyctl',
  'io_uring_enter',
  'io_uring_register',
  'open_by_handle_at',
  'reboot',
  'swapon',
  'swapoff',
  'sethostname',
  'setdomainname',
  'fork',
  'vfork',
  'pidfd_getfd',
  'quotactl',
  'acct',
] as const satisfies readonly SystemCall[];

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

/**
 * The run-time calls that some argument would make a way out of the process. All others reach nothing but the process
 * itself and its descriptors, whatever their arguments.
 */
export function runTimeRules({
  pid,
  datagramSockets,
}: FilteredProcess): Readonly<Partial<Record<RunTimeCall, Rule>>> {
  // without such sockets nothing is looked at: then the kernel does not run the filter for these two calls
  const messages: Partial<Record<RunTimeCall, Rule>> =
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
