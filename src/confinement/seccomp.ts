import { StartError } from '../exit-status.js';
import { architecture } from '../syscalls/architecture.js';
import { addressOf } from '../syscalls/libc.js';
import { describeErrno } from '../syscalls/errno-text.js';
import { littleEndian, stableMemory } from '../syscalls/memory.js';
import { type FilteredThreads, installFilter } from '../syscalls/process.js';
import type { SeccompMode } from './seccomp-modes.js';
import { allowedCalls, type CallNumbers, checkedCalls, forbiddenCalls } from './seccomp-calls.js';

/** Classic BPF, bpf(4): an instruction is a code, two jump distances and a constant. */
const LOAD_WORD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_GREATER_EQUAL = 0x35;
const JUMP_BITS_SET = 0x45;
const RETURN = 0x06;

/** Offsets in `struct seccomp_data`, seccomp(2). */
const NUMBER = 0;
const ARCHITECTURE = 4;
const ARGUMENT_0 = 16;
const ARGUMENT_1 = 24;

const ALLOW = 0x7fff0000;
const LOG = 0x7ffc0000;
const ERROR = 0x00050000;
const KILL_PROCESS = 0x80000000;
const ENOSYS = 38;

/** `<linux/audit.h>` */
const auditArchitecture: CallNumbers = { x64: 0xc000003e, arm64: 0xc00000b7 };
/** Numbers of x86's other ABI (x32) begin here; no architecture has as many calls of its own. */
const OTHER_ABI = 0x40000000;

const CLONE_THREAD = 0x10000;
/** TCGETS, FIONREAD, FIONBIO, FIOCLEX: what libuv asks of descriptors. */
const allowedIoctls = [0x5401, 0x541b, 0x5421, 0x5451];
/** PR_SET_NAME, PR_GET_NAME, PR_SET_VMA: names for people. */
const allowedPrctls = [15, 16, 0x53564d41];

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, constant: number];

function numbers(calls: Readonly<Record<string, CallNumbers>>): number[] {
  return Object.values(calls).flatMap((call) => call[process.arch] ?? []);
}

/** The filter as a program. `forbidden` is the action for what must not happen. */
function compile(forbidden: number): Instruction[] {
  const give = (action: number): Instruction => [RETURN, 0, 0, action];
  const number = (call: CallNumbers): number => call[process.arch] ?? -1;
  const ifEqual = (values: readonly number[], action: number): Instruction[] =>
    values.flatMap((value): Instruction[] => [[JUMP_EQUAL, 0, 1, value], give(action)]);
  /** Runs `body`, which must return, when the call is this one. */
  const onCall = (call: CallNumbers, body: Instruction[]): Instruction[] => [
    [JUMP_EQUAL, 0, body.length, number(call)],
    ...body,
  ];
  return [
    [LOAD_WORD, 0, 0, ARCHITECTURE],
    [JUMP_EQUAL, 1, 0, auditArchitecture[process.arch] ?? 0],
    give(forbidden),
    [LOAD_WORD, 0, 0, NUMBER],
    [JUMP_GREATER_EQUAL, 0, 1, OTHER_ABI],
    give(forbidden),
    ...ifEqual(numbers(allowedCalls), ALLOW),
    ...ifEqual(numbers(forbiddenCalls), forbidden),
    // a thread of ours, never a process of its own
    ...onCall(checkedCalls.clone, [
      [LOAD_WORD, 0, 0, ARGUMENT_0],
      [JUMP_BITS_SET, 1, 0, CLONE_THREAD],
      give(forbidden),
      give(ALLOW),
    ]),
    ...onCall(checkedCalls.ioctl, [
      [LOAD_WORD, 0, 0, ARGUMENT_1],
      ...ifEqual(allowedIoctls, ALLOW),
      give(ERROR | ENOSYS),
    ]),
    ...onCall(checkedCalls.prctl, [
      [LOAD_WORD, 0, 0, ARGUMENT_0],
      ...ifEqual(allowedPrctls, ALLOW),
      give(ERROR | ENOSYS),
    ]),
    // among them socket and connect, which syslog(3) tries when its daemon was restarted, and clone3, for which glibc
    // then takes clone
    give(ERROR | ENOSYS),
  ];
}

/** Puts every thread of the process under the filter, for good. Throws a StartError. */
export function filterSystemCalls(mode: SeccompMode): void {
  if (mode !== 'none') install(compile(mode === 'kill' ? KILL_PROCESS : LOG), 'all threads');
}

/**
 * Answers ENOSYS to io_uring_setup(2) in this thread and in the programs that it becomes. Throws a StartError.
 *
 * libuv 1.49 and later (Node 22 and later) makes a ring for its own epoll before any JavaScript runs, whatever
 * UV_USE_IO_URING says, and would submit to it with a call that the filter of the serving program forbids. Without a
 * ring it falls back. no_new_privs has to be set.
 */
export function refuseIoUring(mode: SeccompMode): void {
  if (mode === 'none') return;
  const program: Instruction[] = [
    [LOAD_WORD, 0, 0, NUMBER],
    [JUMP_EQUAL, 0, 1, architecture.syscalls.io_uring_setup],
    [RETURN, 0, 0, ERROR | ENOSYS],
    [RETURN, 0, 0, ALLOW],
  ];
  install(program, 'this thread');
}

function install(instructions: readonly Instruction[], threads: FilteredThreads): void {
  const code = stableMemory(8 * instructions.length);
  const view = new DataView(code.buffer);
  instructions.forEach(([operation, ifTrue, ifFalse, constant], index) => {
    view.setUint16(8 * index, operation, littleEndian);
    view.setUint8(8 * index + 2, ifTrue);
    view.setUint8(8 * index + 3, ifFalse);
    view.setUint32(8 * index + 4, constant, littleEndian);
  });
  // struct sock_fprog
  const program = stableMemory(16);
  const programView = new DataView(program.buffer);
  programView.setUint16(0, instructions.length, littleEndian);
  programView.setBigUint64(8, addressOf(code), littleEndian);
  const failed = installFilter(program, threads);
  if (failed !== 0) {
    const reason = failed < 0 ? describeErrno(failed) : `thread ${failed} does not take part`;
    throw new StartError(`cannot install the seccomp filter: ${reason}; see --seccomp`);
  }
}
