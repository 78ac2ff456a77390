import { StartError } from '../../startup/exit-status.js';
import { describeErrno } from '../../abi/errno-text.js';
import { AT_FDCWD, close, O_DIRECTORY, O_PATH, openat } from '../../syscalls/files.js';
import { cString } from '../../syscalls/memory.js';
import { mountCopy } from '../../syscalls/privileged/mounts.js';
import { duplicateTo } from '../../syscalls/process.js';

const OWN_DESCRIPTORS = cString('/proc/self/fd');

/**
 * A descriptor of this process's own /proc/self/fd, through which an inode that was checked is opened for use.
 *
 * Where CAP_SYS_ADMIN allows, it is a mount that is attached nowhere and has nothing but that directory: `..` stays in
 * it, so that it leads to no other process. Throws a StartError.
 */
export function openOwnDescriptors(): number {
  const copy = mountCopy(OWN_DESCRIPTORS);
  if (copy >= 0) return copy;
  const opened = openat(AT_FDCWD, OWN_DESCRIPTORS, O_PATH | O_DIRECTORY, 0);
  if (opened < 0) throw new StartError(`cannot open /proc/self/fd: ${describeErrno(opened)}`);
  return opened;
}

/** After a fork: the descriptor of the parent's becomes one of our own. Throws a StartError. */
export function renewOwnDescriptors(descriptor: number): void {
  const own = openOwnDescriptors();
  duplicateTo(own, descriptor);
  close(own);
}
