/**
 * Forms of system calls to try under the filter. `self` is the process that calls, `other` another one; `stream` and
 * `datagram` are sockets of it, `memory` is an address.
 */
export type Argument = number | 'self' | 'other' | 'stream' | 'datagram' | 'memory';
export type Form = readonly Argument[];

/** The kernel looks only at the lower half of an int, and at all of a pointer. */
export const UPPER_HALF = 2 ** 32;

export interface Forms {
  readonly allowed: readonly Form[];
  /** ENOSYS. */
  readonly refused?: readonly Form[];
  /** The end of the process. */
  readonly forbidden?: readonly Form[];
}

const ids: Forms = {
  allowed: [[-1, -1, -1]],
  forbidden: [
    [0, -1, -1],
    [-1, -1, 0],
    [UPPER_HALF, -1, -1],
  ],
};

const O_NONBLOCK = 0x800;
const O_ASYNC = 0x2000;
const THREAD = 0x3d_0f00;
const MAP_PRIVATE = 0x02;
const MAP_ANONYMOUS = 0x20;

const list = (...values: readonly number[]): readonly number[] => values;
const protection = {
  allowed: list(0, 1, 3, 5, 7).map((value) => [0, 0, value]),
  refused: list(0x0100_0000, 0x0200_0000).map((value) => [0, 0, value]),
};

const duplicates: Forms = {
  allowed: [['stream', 0, 0]],
  refused: [
    ['datagram', 0, 0],
    ['stream', 'datagram', 0],
    ['stream', 100, 0],
  ],
};

/** Each call whose arguments count. */
export const forms: Readonly<Record<string, Forms>> = {
  sendto: {
    allowed: [
      ['stream', 'memory', 1, 0, 0, 0],
      ['datagram', 'memory', 1, 0, 0, 0],
    ],
    refused: [
      ['datagram', 'memory', 1, 0, 'memory', 16],
      ['datagram', 'memory', 1, 0, UPPER_HALF, 16],
    ],
  },
  sendmsg: {
    allowed: [['stream', 0, 0]],
    refused: [
      ['datagram', 0, 0],
      ['datagram', 'memory', 0],
    ],
  },
  setresuid: ids,
  setresgid: ids,
  setitimer: {
    allowed: [[0, 0, 0]],
    refused: [
      [1, 0, 0],
      [2, 0, 0],
    ],
  },
  futex: {
    // not aligned: nothing waits
    allowed: list(0, 1, 3, 4, 5, 9, 10, 128, 129, 265, 393).map((operation) => [-1, operation, 0, 0, 0, 0]),
    // FUTEX_FD, and all with priority inheritance
    refused: list(2, 6, 7, 8, 11, 12, 13, 134, 135, 136, 139, 140).map((operation) => [-1, operation]),
  },
  mmap: {
    allowed: [
      [0, 4096, 0, MAP_PRIVATE | MAP_ANONYMOUS | 0x4000, -1, 0],
      [0, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0],
      [0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | 0x2_0000, -1, 0],
    ],
    refused: [
      // a file
      [0, 4096, 1, MAP_PRIVATE, 'stream', 0],
      [0, 4096, 1, 0x01, 'stream', 0],
      // shared, growing down, locked, populated, of huge pages
      ...list(0x21, 0x122, 0x2022, 0x8022, 0x4_0022).map((flags) => [0, 4096, 3, flags, -1, 0]),
      [0, 4096, 0x0100_0000, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0],
    ],
  },
  mprotect: protection,
  pkey_mprotect: protection,
  madvise: {
    allowed: list(0, 3, 4, 8, 10, 14, 15, 16, 18, 102).map((advice) => [0, 0, advice]),
    // MADV_REMOVE, DOFORK, MERGEABLE, UNMERGEABLE, HWPOISON, SOFT_OFFLINE
    refused: list(9, 11, 12, 13, 100, 101).map((advice) => [0, 0, advice]),
  },
  mremap: {
    allowed: [[0, 0, 0, 1]],
    refused: [
      [0, 0, 0, 4],
      [0, 0, 0, 5],
    ],
  },
  membarrier: {
    allowed: list(0, 8, 16, 32, 64).map((command) => [command, 0]),
    // those that interrupt every processor of the host
    refused: list(1, 2, 4, 128, 256).map((command) => [command, 0]),
  },
  fcntl: {
    allowed: [
      ...list(1, 2, 3, 0, 1030).map((command): Form => ['stream', command, 0]),
      ['stream', 4, O_NONBLOCK],
      ['datagram', 3, 0],
    ],
    refused: [
      ['stream', 4, O_ASYNC],
      // locks, F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY, F_SETPIPE_SZ, F_ADD_SEALS, F_SET_RW_HINT
      ...list(5, 6, 7, 8, 9, 10, 15, 37, 1024, 1026, 1031, 1033, 1036).map((command): Form => [
        'stream',
        command,
        'other',
      ]),
      ['stream', 8 + UPPER_HALF, 'other'],
      ['datagram', 0, 0],
      ['datagram', 1030, 0],
    ],
  },
  dup2: duplicates,
  dup3: duplicates,
  ioctl: {
    allowed: list(0x5401, 0x541b, 0x5421, 0x5451).map((request) => [-1, request, 0]),
    // TIOCSCTTY, TIOCSTI, FIOASYNC, FIOSETOWN, SIOCSPGRP, FS_IOC_SETFLAGS, FICLONE
    refused: list(0x540e, 0x5412, 0x5452, 0x8901, 0x8902, 0x4008_6602, 0x4004_9409).map((request): Form => [
      'stream',
      request,
      'memory',
    ]),
  },
  getsockopt: {
    allowed: list(3, 4, 17, 30, 39).map((option): Form => ['stream', 1, option, 0, 0]),
    // SO_PEERGROUPS, SO_PEERPIDFD, and another level
    refused: [
      ['stream', 1, 59, 0, 0],
      ['stream', 1, 77, 0, 0],
      ['stream', 0, 3, 0, 0],
    ],
  },
  setsockopt: {
    allowed: list(7, 20, 21, 66, 67).map((option): Form => ['stream', 1, option, 0, 0]),
    // SO_RCVBUF, LINGER, PASSCRED, BINDTODEVICE, ATTACH_FILTER, SNDBUFFORCE, MARK, ATTACH_BPF, and another level
    refused: [
      ...list(8, 13, 16, 25, 26, 32, 36, 50).map((option): Form => ['stream', 1, option, 'memory', 4]),
      ['stream', 0, 20, 'memory', 16],
    ],
  },
  prctl: {
    allowed: [
      [15, 'memory'],
      [16, 'memory'],
      [4, 0, 0, 0, 0],
      [0x5356_4d41, 0, 0, 0, 0],
    ],
    // PDEATHSIG, DUMPABLE, KEEPCAPS, NAME of others', SECCOMP, CAPBSET_DROP, SECUREBITS, CHILD_SUBREAPER, AMBIENT ...
    refused: [
      ...list(1, 8, 22, 24, 28, 29, 33, 35, 36, 38, 41, 47, 53, 62, 0x5961_6d61).map((option) => [
        option,
        1,
        0,
        0,
        0,
      ]),
      [4, 1, 0, 0, 0],
      [0x5356_4d41, 1, 0, 0, 0],
    ],
  },
  prlimit64: {
    allowed: [
      [0, 7, 0, 0],
      ['self', 7, 0, 0],
    ],
    forbidden: [
      ['other', 7, 0, 0],
      ['other', 7, 'memory', 0],
      ['self', 7, 'memory', 0],
      [0, 7, UPPER_HALF, 0],
    ],
  },
  tgkill: {
    allowed: [['self', 'self', 0]],
    forbidden: [
      ['other', 'other', 0],
      [1, 1, 0],
      [-1, 'self', 0],
    ],
  },
  clone: {
    // a thread needs a stack: it is tried apart
    allowed: [],
    // a process, one as of vfork, threads without the descriptors or the root of the others, with new namespaces
    forbidden: list(
      17,
      0,
      0x4111,
      THREAD & ~0x400,
      THREAD & ~0x200,
      THREAD | 0x4000_0000,
      THREAD | 0x2_0000,
    ).map((flags) => [flags, 0, 0, 0, 0]),
  },
};

/** They end the thread that calls them, so they have a process each. */
export const ends: readonly string[] = ['exit', 'exit_group', 'rt_sigreturn'];

/** What nothing of ours needs, in any form: to signal, limit, schedule or name others, new sockets, received ones. */
export const absent: readonly string[] = [
  ...[
    'kill',
    'tkill',
    'rt_sigqueueinfo',
    'rt_tgsigqueueinfo',
    'pidfd_open',
    'pidfd_send_signal',
    'process_mrelease',
  ],
  ...['setrlimit', 'setpriority', 'ioprio_set', 'sched_setaffinity', 'sched_setscheduler', 'sched_setattr'],
  ...[
    'socket',
    'socketpair',
    'connect',
    'bind',
    'listen',
    'recvmsg',
    'recvmmsg',
    'sendmmsg',
    'dup',
    'dup2',
    'dup3',
  ],
  ...['setuid', 'setgid', 'setreuid', 'setregid', 'setfsuid', 'setfsgid', 'setgroups', 'setpgid', 'setsid'],
  ...[
    'kcmp',
    'process_madvise',
    'move_pages',
    'migrate_pages',
    'personality',
    'seccomp',
    'memfd_create',
    'shmget',
  ],
  ...[
    'inotify_init1',
    'fanotify_init',
    'timer_create',
    'signalfd4',
    'splice',
    'tee',
    'vmsplice',
    'clone3',
    'wait4',
  ],
];
