import { constants } from 'node:os';
import { architecture } from '../abi/architecture.js';
import { addressOf, declare, declareInt, type Pointer, syscall, declareWhereThere } from './libc.js';
import { cString, stableMemory, wordsOf } from './memory.js';

const libc = {
  prctl: declareInt('prctl', 'int', 'int64', 'int64', 'int64', 'int64'),
  fcntl: declareInt('fcntl', 'int', 'int', 'int64'),
  ioctl: declareInt('ioctl', 'int', 'int64', 'void *'),
  dup2: declareInt('dup2', 'int', 'int'),
  dup3: declareInt('dup3', 'int', 'int', 'int'),
  write: declare('write', 'int', 'void *', 'int64'),
  execve: declareInt('execve', 'void *', 'void *', 'void *'),
  execvp: declareInt('execvp', 'void *', 'void *'),
  closeRange: declareInt('close_range', 'uint32', 'uint32', 'int'),
  setsid: declareInt('setsid'),
  getppid: declareInt('getppid'),
  getauxval: declare('getauxval', 'int64'),
  waitpid: declareInt('waitpid', 'int', 'void *', 'int'),
  clockGettime: declareInt('clock_gettime', 'int', 'void *'),
  madvise: declareInt('madvise', 'int64', 'int64', 'int'),
  pipe2: declareInt('pipe2', 'void *', 'int'),
  setrlimit: declareInt('setrlimit', 'int', 'void *'),
};

const STDERR = 2;
const FIONREAD = 0x541b;
const F_SETFD = 2;
const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;
const F_DUPFD_CLOEXEC = 1030;
const CLOSE_RANGE_CLOEXEC = 4;
const LAST_DESCRIPTOR = 0xffff_ffff;
const PR_CAPBSET_READ = 23;
const PR_CAPBSET_DROP = 24;
const PR_SET_PDEATHSIG = 1;
const PR_SET_DUMPABLE = 4;
const PR_SET_NO_NEW_PRIVS = 38;
const RLIMIT_CORE = 4;
const O_CLOEXEC = 0o2000000;
const AT_SECURE = 23;
const SECCOMP_SET_MODE_FILTER = 1;
const SECCOMP_FILTER_FLAG_TSYNC = 1;
// the filter guards trusted code: it shall not turn on mitigations against that code itself, which cost time
const SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4;
const MADV_DOFORK = 11;
const ADDRESS_SPACE = 2 ** 48 - 4096;
const CLONE_FS = 0x200;
const CLONE_FILES = 0x400;
const SIGKILL = 9;
const SIGCHLD = 17;
const CLOCK_MONOTONIC = 1;

const signalNames = new Map<number, NodeJS.Signals>();
for (const [name, number] of Object.entries(constants.signals)) {
  // SIGIOT and SIGPOLL come after the usual names of the same numbers
  if (!signalNames.has(number)) signalNames.set(number, name as NodeJS.Signals);
}

/** 1 when the capability is in the bounding set, 0 when not, -EINVAL when the kernel does not know it. */
export function boundingSetHas(capability: number): number {
  return libc.prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
}

export function dropFromBoundingSet(capability: number): number {
  return libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

/** From now on no exec of this thread gives it privileges that it does not have: prctl(2). */
export function setNoNewPrivileges(): number {
  return libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/** The kernel kills this process when its parent ends: prctl(2), PR_SET_PDEATHSIG. */
export function dieWithParent(): number {
  return libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

/**
 * No core of this process and of those that it starts, whatever they become: core(5), setrlimit(2).
 *
 * A limit of 0 would not be heeded where kernel.core_pattern names a program; the kernel takes 1 byte, which is too
 * small for a file, as the sign that this one is not to be dumped there either.
 */
export function forbidCores(): number {
  const limit = stableMemory(16);
  new BigUint64Array(limit.buffer, 0, 2).fill(1n);
  return libc.setrlimit(RLIMIT_CORE, limit);
}

/**
 * No ptrace and no /proc/PID by others of the same uid, and no core: prctl(2), PR_SET_DUMPABLE. With every change of
 * the effective ids the kernel makes it what fs.suid_dumpable says.
 */
export function setNotDumpable(): number {
  return libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/** Whether the kernel started this program with more rights than its caller has: getauxval(3), AT_SECURE. */
export function isSecureExecution(): boolean {
  return libc.getauxval(AT_SECURE) !== 0;
}

/** Which threads a seccomp filter is for; an exec leaves only the one that makes it. */
export type FilteredThreads = 'all threads' | 'this thread';

/**
 * Installs a seccomp filter: seccomp(2).
 *
 * @param program a `struct sock_fprog`
 * @returns 0, the id of a thread that could not be brought under it, or -errno
 */
export function installFilter(program: Uint8Array, threads: FilteredThreads): number {
  const flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW | (threads === 'all threads' ? SECCOMP_FILTER_FLAG_TSYNC : 0);
  const address = addressOf(program);
  return syscall(architecture.syscalls.seccomp, SECCOMP_SET_MODE_FILTER, flags, address, 0, 0, 0);
}

/** Lets a descriptor survive the next exec. */
export function keepOverExec(descriptor: number): number {
  return libc.fcntl(descriptor, F_SETFD, 0);
}

/** Has the next exec close every descriptor, also those that a careless caller left open (Linux 5.11). */
export function closeAllOnExec(): number {
  return libc.closeRange(0, LAST_DESCRIPTOR, CLOSE_RANGE_CLOEXEC);
}

/** Takes O_NONBLOCK off an open file. */
export function setBlocking(descriptor: number): number {
  const flags = openFlags(descriptor);
  return flags < 0 ? flags : libc.fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK);
}

/** Puts O_NONBLOCK on an open file. */
export function setNonBlocking(descriptor: number): number {
  const flags = openFlags(descriptor);
  return flags < 0 ? flags : libc.fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
}

/** The access mode and the flags of an open file: fcntl(2), F_GETFL. */
export function openFlags(descriptor: number): number {
  return libc.fcntl(descriptor, F_GETFL, 0);
}

/** How many bytes of a pipe wait to be read: ioctl(2), FIONREAD. */
export function unreadBytes(pipe: number): number {
  const count = stableMemory(4);
  const failed = libc.ioctl(pipe, FIONREAD, count);
  return failed < 0 ? failed : (wordsOf(count)[0] ?? 0);
}

/** A copy of a descriptor, closed on exec. */
export function duplicate(descriptor: number): number {
  return libc.fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
}

/** Makes `target` the same as `descriptor`, open over exec. */
export function duplicateTo(descriptor: number, target: number): number {
  return libc.dup2(descriptor, target);
}

/** Puts a copy of another descriptor in the place of one, open over exec only if it is a standard one: dup3(2). */
export function replaceDescriptor(descriptor: number, by: number): number {
  return libc.dup3(by, descriptor, descriptor > STDERR ? O_CLOEXEC : 0);
}

/** The ends of a new pipe to read from and to write to, neither of which waits, closed on exec; or -errno: pipe(2). */
export function nonBlockingPipe(): readonly [number, number] | number {
  const ends = stableMemory(8);
  const failed = libc.pipe2(ends, O_CLOEXEC | O_NONBLOCK);
  const [readable = -1, writable = -1] = new Int32Array(ends.buffer, 0, 2);
  return failed < 0 ? failed : [readable, writable];
}

/** The pid of the process that this one was forked by; Node remembers that of its own start. */
export function parentId(): number {
  return libc.getppid();
}

/** Makes the process the leader of a new session without a terminal: setsid(2). */
export function setSession(): number {
  return libc.setsid();
}

export function write(descriptor: number, bytes: Pointer, size: number): number {
  return libc.write(descriptor, bytes, size);
}

/** Strings for execve(2): a NULL-terminated array of pointers. What it returns must be kept until the call. */
export class StringVector {
  readonly strings: Uint8Array[];
  readonly pointers: Uint8Array;

  /** @param strings text, or bytes with their NUL in memory that does not move */
  constructor(strings: readonly (string | Uint8Array)[]) {
    this.strings = strings.map((item) => (typeof item === 'string' ? cString(item) : item));
    this.pointers = stableMemory(8 * (strings.length + 1));
    new BigUint64Array(this.pointers.buffer).set(this.strings.map(addressOf));
  }
}

/** Replaces the program of this process. Returns only when that failed. */
export function execve(program: Uint8Array, argv: StringVector, environment: StringVector): number {
  return libc.execve(program, argv.pointers, environment.pointers);
}

/** The same with a program that is looked for in PATH, and with the environment of this process: exec(3). */
export function execvp(program: Uint8Array, argv: StringVector): number {
  return libc.execvp(program, argv.pointers);
}

/**
 * `fork(2)`, but parent and child go on sharing root, working directory and umask (CLONE_FS, clone(2)).
 *
 * V8 marks its heap MADV_DONTFORK, so that a forked child would fault at its next step; that is taken back first, for
 * the whole address space in one call, as anything in between could map more of it. The child has one thread and a
 * copy of everything else: it may make system calls and end or exec, not more. No other thread of the caller may have
 * anything to do, or the child has its locks for ever: see `startup/background-threads.ts`.
 *
 * @returns 0 in the child, the child's pid in the parent, or -errno
 */
export function forkSharingRoot(): number {
  return cloneProcess(CLONE_FS);
}

/** The same, but what they share is the table of descriptors (CLONE_FILES). */
export function forkSharingDescriptors(): number {
  return cloneProcess(CLONE_FILES);
}

/** The same without sharing anything. */
export function fork(): number {
  return cloneProcess(0);
}

function cloneProcess(shared: number): number {
  // always "fails": not all of the range is mapped (ENOMEM), which keeps the kernel from nothing; madvise(2)
  libc.madvise(0, ADDRESS_SPACE, MADV_DOFORK);
  return syscall(architecture.syscalls.clone, shared | SIGCHLD, 0, 0, 0, 0, 0);
}

/** A descriptor of a process, which can be read when it has ended, or -errno: pidfd_open(2). */
export function openProcess(pid: number): number {
  return syscall(architecture.syscalls.pidfd_open, pid, 0, 0, 0, 0, 0);
}

/** How a process ended: with an exit status, or by a signal; the other is null. */
export interface ProcessEnd {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Waits for a child to end: waitpid(2), which also tells how the two are packed. */
export function waitForChild(pid: number): ProcessEnd {
  const word = stableMemory(4);
  // of a child that is not ours nothing is known
  if (libc.waitpid(pid, word, 0) < 0) return { status: null, signal: null };
  const [packed = 0] = wordsOf(word);
  const signal = packed & 0x7f;
  return signal === 0
    ? { status: packed >> 8, signal: null }
    : { status: null, signal: signalNames.get(signal) ?? 'SIGKILL' };
}

const mallocTrim = declareWhereThere('malloc_trim');

/** Gives the kernel back what was freed: glibc keeps it, and after a start that is 0.7 MB (malloc_trim(3)). */
export function returnFreedMemory(): void {
  mallocTrim(0);
}

/** Ends the process at once: no handlers, no flushing. */
export function exitNow(status: number): never {
  syscall(architecture.syscalls.exit_group, status, 0, 0, 0, 0, 0);
  throw new Error('exit_group returned');
}

/** The seconds of `MonotonicClock` start again after so many. */
const CLOCK_SECONDS = 0x400;

/** CLOCK_MONOTONIC without allocating: clock_gettime(2). */
export class MonotonicClock {
  readonly #time = stableMemory(16);
  readonly #address = addressOf(this.#time);
  readonly #words = wordsOf(this.#time);

  /** Microseconds, starting again at 0 every 17 minutes (so as to stay small integers): for short differences only. */
  microseconds(): number {
    libc.clockGettime(CLOCK_MONOTONIC, this.#address);
    const seconds = (this.#words[0] ?? 0) % CLOCK_SECONDS;
    return seconds * 1_000_000 + Math.trunc((this.#words[2] ?? 0) / 1000);
  }
}

/** The time between two of these readings. */
export function elapsedMicroseconds(from: number, to: number): number {
  return to >= from ? to - from : to - from + CLOCK_SECONDS * 1_000_000;
}
