import { StartError } from '../exit-status.js';
import { pivotToWorkingDirectory } from '../syscalls/mounts.js';
import { describeErrno } from '../syscalls/errno-text.js';
import { cString, stableMemory, wordsOf } from '../syscalls/memory.js';
import { dieWithParent, forkSharingRoot, exitNow, waitForChild } from '../syscalls/process.js';
import { receiveWaiting, send, setReceiveTimeout, socketPair } from '../syscalls/sockets.js';
import { CapabilitySets } from '../syscalls/credentials.js';
import { chdir, chroot, close, fchdir } from '../syscalls/files.js';
import { FileStatus, fstat, lstat } from '../syscalls/status.js';
import { CAP_DAC_OVERRIDE, CAP_SYS_ADMIN, CAP_SYS_CHROOT } from './capabilities.js';

/**
 * Changing the root without ever having the right to.
 *
 * The serving program shall not have CAP_SYS_CHROOT on any of its threads, but Node has threads of its own before
 * the first line of JavaScript runs, and a capability cannot be taken from another thread. So the starting process
 * forks a root changer, which shares root and working directory with it (CLONE_FS) and keeps just what that takes,
 * and then becomes the serving program by an exec without it. When that has loaded all that it needs it asks, and
 * finds itself in the export.
 */
export interface RootChanger {
  /** Our end of the socket to it. */
  readonly socket: number;
  readonly pid: number;
}

/** It has little to do. */
const ANSWER_MS = 30_000;
const HERE = cString('.');
const ROOT = cString('/');

/** Forks the root changer. `isMount`: the export is a mount of its own. Throws a StartError. */
export function forkRootChanger(exportDirectory: number, isMount: boolean): RootChanger {
  const pair = socketPair();
  if (typeof pair === 'number') throw new StartError(`cannot make a socket pair: ${describeErrno(pair)}`);
  const [ours, theirs] = pair;
  const byte = stableMemory(1);
  const answer = stableMemory(4);
  const capabilities = new CapabilitySets();
  capabilities.read();
  const needed = [CAP_SYS_CHROOT, CAP_SYS_ADMIN, CAP_DAC_OVERRIDE].reduce(
    (mask, { number }) => mask | (1n << BigInt(number)),
    0n,
  );
  capabilities.permitted &= needed;
  capabilities.setEffective(capabilities.permitted);

  const pid = forkSharingRoot();
  if (pid < 0) throw new StartError(`cannot fork: ${describeErrno(pid)}`);
  if (pid === 0) {
    // a child that nobody asks, because the start failed, sees its socket close and ends
    dieWithParent();
    close(ours);
    let failed = capabilities.apply();
    if (receiveWaiting(theirs, byte, 1) !== 1) exitNow(0);
    if (failed >= 0) failed = fchdir(exportDirectory);
    // pivot_root leaves nothing of the host in our mounts; it refuses when our own root is no mount (in a chroot)
    if (failed >= 0 && (!isMount || pivotToWorkingDirectory() < 0)) failed = chroot(HERE);
    wordsOf(answer)[0] = failed;
    send(theirs, answer, 4);
    exitNow(0);
  }
  close(theirs);
  return { socket: ours, pid };
}

/** Has the root changed, and checks that it is the export. Throws a StartError. */
export function enterRoot(changer: RootChanger, exportDirectory: number): void {
  const answer = stableMemory(4);
  setReceiveTimeout(changer.socket, ANSWER_MS);
  send(changer.socket, stableMemory(1), 1);
  const received = receiveWaiting(changer.socket, answer, 4);
  const failed = received === 4 ? (new Int32Array(answer.buffer, 0, 1)[0] ?? 0) : -1;
  close(changer.socket);
  if (failed < 0) {
    throw new StartError(
      `cannot make the export the root directory: ${received === 4 ? describeErrno(failed) : 'no answer'}`,
    );
  }
  // for a daemon it is the child of the process that forked both, and no longer ours to wait for
  waitForChild(changer.pid);
  if (chdir(ROOT) < 0 || !isRoot(exportDirectory))
    throw new StartError('the root directory is not the export');
}

function isRoot(directory: number): boolean {
  const root = new FileStatus();
  const expected = new FileStatus();
  if (lstat(ROOT, root) < 0 || fstat(directory, expected) < 0) return false;
  return [FileStatus.INO, FileStatus.INO + 1, FileStatus.DEV_MAJOR, FileStatus.DEV_MINOR].every(
    (word) => root.words[word] === expected.words[word],
  );
}
