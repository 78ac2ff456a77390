import { AT_FDCWD, close, O_NOFOLLOW, O_RDONLY, openat } from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import {
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MountAttributes,
  mountCopy,
} from '../syscalls/privileged/mounts.js';

/**
 * What a process has open it can open again through /proc/self/fd, with any access that its rights allow: a descriptor
 * for reading keeps no program of root's from writing to the file, or from making it set-uid. The mount that a file was
 * opened on does, as it is the same for what is opened again: so a file is opened on a copy of its mount that is attached
 * nowhere and read-only.
 */
const READ_ONLY = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;

/**
 * Opens a file for reading, so that whoever has the descriptor cannot change the file. Without CAP_SYS_ADMIN, or before
 * Linux 5.12, it is a descriptor like any other.
 *
 * @param name of a file in a directory where nobody else can put anything in its place
 * @returns the descriptor or -errno
 */
export function openUnchangeable(directory: number, name: Uint8Array): number {
  const opened = openOnReadOnlyMount(directory, name, O_RDONLY, READ_ONLY | MOUNT_ATTR_NODEV);
  return opened < 0 ? openat(directory, name, O_NOFOLLOW, 0) : opened;
}

/** The same for a device, with any access: a device is no part of the mount. @returns -errno where it cannot be had */
export function openDeviceUnchangeable(directory: number, path: Uint8Array, access: number): number {
  return openOnReadOnlyMount(directory, path, access, READ_ONLY);
}

function openOnReadOnlyMount(
  directory: number,
  path: Uint8Array,
  access: number,
  attributes: number,
): number {
  const copy = mountCopy(path, directory);
  if (copy < 0) return copy;
  const failed = new MountAttributes(attributes).setOn(copy);
  const opened = failed < 0 ? failed : openat(AT_FDCWD, cString(`/proc/self/fd/${copy}`), access, 0);
  close(copy);
  return opened;
}
