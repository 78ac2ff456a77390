import { askRootChanger, forkRootChanger, type RootChanger } from '../../confinement/root-changer.js';
import { StartError } from '../../startup/start-errors.js';
import {
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MountAttributes,
  pivotToWorkingDirectory,
} from '../../syscalls/privileged/mounts.js';
import { cString } from '../../syscalls/memory.js';
import { AT_FDCWD, chdir, chroot, fchdir } from '../../syscalls/files.js';
import { isSameFile } from '../../syscalls/status.js';
import { CAP_DAC_OVERRIDE, CAP_SYS_ADMIN, CAP_SYS_CHROOT } from '../../confinement/capabilities.js';

const HERE = cString('.');
const ROOT = cString('/');

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

/** Forks the root changer that makes the export the root. Throws a StartError. */
export function forkExportRoot(root: NewRoot, readOnly: boolean): RootChanger {
  const attributes = attributesOf(readOnly);
  return forkRootChanger([CAP_SYS_CHROOT, CAP_SYS_ADMIN, CAP_DAC_OVERRIDE], () => {
    const entered = fchdir(root.directory);
    if (entered < 0) return { failed: entered, restricted: 0 };
    // not before the serving program is loaded, which may lie in the export
    const restricted = root.isMount ? attributes.set() : 0;
    return { failed: changeRoot(root), restricted };
  });
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
  const restricted = askRootChanger(changer, 'cannot make the export the root directory');
  if (chdir(ROOT) < 0 || !isSameFile(exportDirectory, AT_FDCWD, ROOT))
    throw new StartError('root-not-changed', 'the root directory is not the export');
  return restricted;
}
