import { describeErrno } from '../abi/errno-text.js';
import { StartError } from '../startup/start-errors.js';
import { isDots, readEntries } from '../syscalls/directories.js';
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  chdir,
  chroot,
  close,
  fchdir,
  mkdirat,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  openat,
  unlinkat,
} from '../syscalls/files.js';
import { cString, stableMemory } from '../syscalls/memory.js';
import { mountNothing, ownMounts, pivotToWorkingDirectory } from '../syscalls/privileged/mounts.js';
import * as errno from '../abi/errno.js';
import { CAP_SYS_ADMIN, CAP_SYS_CHROOT } from './capabilities.js';
import { askRootChanger, forkRootChanger, type RootChanger } from './root-changer.js';

const HERE = cString('.');
const ROOT = cString('/');
/** What is there wherever Node runs, and is needed no more when the root changes. */
const MOUNT_POINT = cString('/proc');

/** Where a directory can be made by everybody. */
const TEMPORARY = '/tmp';

/**
 * Forks what makes a directory without anything in it the root: a mount of our own, or, without CAP_SYS_ADMIN, a
 * directory that was removed, in which nothing can be made any more. Throws a StartError.
 */
export function forkEmptyRoot(): RootChanger {
  const hasMounts = ownMounts() >= 0;
  const removed = hasMounts ? -1 : removedDirectory();
  return forkRootChanger([CAP_SYS_CHROOT, CAP_SYS_ADMIN], () => ({
    failed: hasMounts ? changeToNothing() : changeTo(removed),
    restricted: 0,
  }));
}

function changeToNothing(): number {
  let failed = mountNothing(MOUNT_POINT);
  // into what is mounted there now
  if (failed >= 0) failed = chdir(MOUNT_POINT);
  if (failed < 0) return failed;
  // leaves nothing of the host in our mounts; it refuses when our own root is no mount (in a chroot)
  return pivotToWorkingDirectory() >= 0 ? 0 : chroot(HERE);
}

function changeTo(directory: number): number {
  const failed = fchdir(directory);
  return failed < 0 ? failed : chroot(HERE);
}

function removedDirectory(): number {
  const path = cString(`${TEMPORARY}/virtfs-9p-server-${process.pid}-${Date.now()}`);
  const failed = mkdirat(AT_FDCWD, path, 0o555);
  const directory = failed < 0 ? failed : openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
  const gone = failed < 0 ? failed : unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
  const worst = Math.min(directory, gone);
  if (worst < 0)
    throw new StartError(
      'root-not-changed',
      `cannot make an empty directory in ${TEMPORARY}: ${describeErrno(worst)}`,
    );
  return directory;
}

/** Has the root changed, and checks that nothing is in it. Throws a StartError. */
export function enterEmptyRoot(changer: RootChanger): void {
  askRootChanger(changer, 'cannot change to an empty root directory');
  if (chdir(ROOT) < 0 || !isEmpty(ROOT))
    throw new StartError('root-not-changed', 'the root directory is not empty');
}

function isEmpty(path: Uint8Array): boolean {
  const directory = openat(AT_FDCWD, path, O_DIRECTORY, 0);
  if (directory < 0) return false;
  const entries = readEntries(directory, stableMemory(4096));
  close(directory);
  // of one that was removed
  if (typeof entries === 'number') return entries === -errno.ENOENT;
  return entries.length > 0 && entries.every(({ name }) => isDots(name));
}
