import { ExitStatus } from '../../startup/exit-status.js';
import { StartError } from '../../startup/start-errors.js';
import { describeErrno } from '../../abi/errno-text.js';
import { AT_FDCWD, close, O_DIRECTORY, O_PATH, openat } from '../../syscalls/files.js';
import { cString } from '../../syscalls/memory.js';
import { mountCopy, ownMountsInUserNamespace } from '../../syscalls/privileged/mounts.js';
import {
  duplicateTo,
  exitNow,
  forkSharingDescriptors,
  parentId,
  replaceDescriptor,
  waitForChild,
} from '../../syscalls/process.js';

const OWN_DESCRIPTORS = cString('/proc/self/fd');

/**
 * A descriptor of this process's own /proc/self/fd, through which an inode that was checked is opened for use.
 *
 * Where the kernel allows, it is a mount that is attached nowhere and has nothing but that directory: `..` stays in it, so
 * that it leads to no other process. Throws a StartError.
 */
export function openOwnDescriptors(): number {
  const copy = mountCopy(OWN_DESCRIPTORS);
  if (copy >= 0) return copy;
  const opened = openat(AT_FDCWD, OWN_DESCRIPTORS, O_PATH | O_DIRECTORY, 0);
  if (opened < 0)
    throw new StartError('system-incomplete', `cannot open /proc/self/fd: ${describeErrno(opened)}`);
  detachInUserNamespace(opened);
  return opened;
}

/**
 * Puts such a mount in the place of a descriptor of this process's own directory, where CAP_SYS_ADMIN is missing but user
 * namespaces may be made: a child makes one, copies the mount there into the descriptors that both share, and ends. This
 * process cannot go into such a namespace, as it could make no device nodes then.
 */
function detachInUserNamespace(directory: number): void {
  const pid = forkSharingDescriptors();
  if (pid === 0) {
    const made = ownMountsInUserNamespace();
    // "self" would be the child
    const copy = made < 0 ? made : mountCopy(cString(`/proc/${parentId()}/fd`));
    const replaced = copy < 0 ? copy : replaceDescriptor(directory, copy);
    if (copy >= 0) close(copy);
    exitNow(replaced < 0 ? ExitStatus.FAILURE : ExitStatus.OK);
  }
  // where that failed the descriptor is what it was, and serves as well
  if (pid > 0) waitForChild(pid);
}

/** After a fork: the descriptor of the parent's becomes one of our own. Throws a StartError. */
export function renewOwnDescriptors(descriptor: number): void {
  const own = openOwnDescriptors();
  duplicateTo(own, descriptor);
  close(own);
}
