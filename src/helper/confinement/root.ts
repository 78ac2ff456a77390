import { StartError } from '../../startup/exit-status.js';
import {
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MountAttributes,
  pivotToWorkingDirectory,
} from '../../syscalls/privileged/mounts.js';
import { describeErrno } from '../../abi/errno-text.js';
import { cString, stableMemory, wordsOf } from '../../syscalls/memory.js';
import { dieWithParent, forkSharingRoot, exitNow, waitForChild } from '../../syscalls/process.js';
import { receiveWaiting, send, setReceiveTimeout, socketPair } from '../../syscalls/sockets.js';
import { CapabilitySets } from '../../syscalls/privileged/credentials.js';
import { AT_FDCWD, chdir, chroot, close, fchdir } from '../../syscalls/files.js';
import { isSameFile } from '../../syscalls/status.js';
import { CAP_DAC_OVERRIDE, CAP_SYS_ADMIN, CAP_SYS_CHROOT } from '../../confinement/capabilities.js';

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

/** What a root changer answers: two numbers, 0 or -errno each, of the change of root and of the mount's attributes. */
const ANSWER_BYTES = 8;

/**
 * What else is taken from a mount of our own. A client gets descriptors of directories, with which it can open what
 * lies in them by itself: no device that the guest made may open for it, no program run, and nothing that is only to be
 * read be written.
 */
export function attributesOf(readOnly: boolean): MountAttributes {
  const always = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  return new MountAttributes(readOnly ? always | MOUNT_ATTR_RDONLY : always);
}

/** What is to become the root. */
interface NewRoot {
  /** An O_PATH descriptor of the export. */
  readonly directory: number;
  /** Whether that is a mount of its own. */
  readonly isMount: boolean;
  /** What stays mounted beneath it: see `helper/launch/mount-guard.ts`. */
  readonly guard: number | undefined;
}

/** Forks the root changer. Throws a StartError. */
export function forkRootChanger(root: NewRoot, readOnly: boolean): RootChanger {
  const pair = socketPair();
  if (typeof pair === 'number') throw new StartError(`cannot make a socket pair: ${describeErrno(pair)}`);
  const [ours, theirs] = pair;
  const byte = stableMemory(1);
  const answer = stableMemory(ANSWER_BYTES);
  const attributes = attributesOf(readOnly);
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
    if (failed >= 0) failed = fchdir(root.directory);
    // not before the serving program is loaded, which may lie in the export
    const restricted = root.isMount && failed >= 0 ? attributes.set() : 0;
    if (failed >= 0) failed = changeRoot(root);
    wordsOf(answer).set([failed, restricted]);
    send(theirs, answer, ANSWER_BYTES);
    exitNow(0);
  }
  close(theirs);
  return { socket: ours, pid };
}

/** The working directory is the new root. */
function changeRoot({ directory, isMount, guard }: NewRoot): number {
  if (!isMount) return chroot(HERE);
  if (guard !== undefined) fchdir(guard);
  // leaves nothing of the host in our mounts; it refuses when our own root is no mount (in a chroot)
  const isRoot = pivotToWorkingDirectory() >= 0;
  if (isRoot && guard === undefined) return 0;
  // the export lies upon the guard, from which nothing leads up: it is the root of our mounts
  const failed = fchdir(directory);
  return failed < 0 ? failed : chroot(HERE);
}

/**
 * Has the root changed, and checks that it is the export. Throws a StartError.
 *
 * @returns 0, or -errno when the mount could not be given its attributes
 */
export function enterRoot(changer: RootChanger, exportDirectory: number): number {
  const answer = stableMemory(ANSWER_BYTES);
  setReceiveTimeout(changer.socket, ANSWER_MS);
  send(changer.socket, stableMemory(1), 1);
  const received = receiveWaiting(changer.socket, answer, ANSWER_BYTES);
  close(changer.socket);
  const [failed = 0, restricted = 0] = new Int32Array(answer.buffer);
  if (received !== ANSWER_BYTES || failed < 0) {
    const why = received === ANSWER_BYTES ? describeErrno(failed) : 'no answer';
    throw new StartError(`cannot make the export the root directory: ${why}`);
  }
  // for a daemon it is the child of the process that forked both, and no longer ours to wait for
  waitForChild(changer.pid);
  if (chdir(ROOT) < 0 || !isSameFile(exportDirectory, AT_FDCWD, ROOT))
    throw new StartError('the root directory is not the export');
  return restricted;
}
