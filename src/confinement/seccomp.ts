import { StartError } from '../startup/start-errors.js';
import { describeErrno } from '../abi/errno-text.js';
import { addressOf } from '../syscalls/libc.js';
import { littleEndian, stableMemory } from '../syscalls/memory.js';
import { type FilteredThreads, installFilter } from '../syscalls/process.js';
import { datagramSockets } from '../syscalls/sockets.js';
import { compileFilter, compileRefusal, type Instruction } from './seccomp-filter.js';
import type { SeccompMode } from './seccomp-modes.js';
import type { FilteredProcess, SystemCallPolicy } from './system-call-policy.js';

const LOG = 0x7ffc0000;
const KILL_PROCESS = 0x80000000;

/**
 * Puts every thread of the process under the filter, for good. To be called when the descriptors are open that the
 * process needs from now on. Throws a StartError.
 */
export function filterSystemCalls(
  mode: SeccompMode,
  policy: (filtered: FilteredProcess) => SystemCallPolicy,
): void {
  if (mode === 'none') return;
  const filtered = { pid: process.pid, datagramSockets: datagramSockets() };
  install(compileFilter(policy(filtered), mode === 'kill' ? KILL_PROCESS : LOG), 'all threads');
}

/**
 * Answers ENOSYS to io_uring_setup(2) in this thread and in the programs that it becomes. Throws a StartError.
 *
 * libuv 1.49 and later (Node 22 and later) makes a ring for the epoll of every loop, the first before any JavaScript
 * runs, whatever UV_USE_IO_URING says. It would submit to that with a call that the filter of the serving program
 * forbids. Without a ring it falls back. no_new_privs has to be set.
 */
export function refuseIoUring(mode: SeccompMode): void {
  if (mode === 'none') return;
  install(compileRefusal('io_uring_setup'), 'this thread');
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
    throw new StartError(
      'filter-not-installed',
      `cannot install the seccomp filter: ${reason}; see --seccomp`,
    );
  }
}
