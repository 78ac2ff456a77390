import { architecture } from '../../abi/architecture.js';
import { AT_FDCWD, O_PATH, openResolving, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS } from '../files.js';
import { addressOf, declareInt, syscall } from '../libc.js';
import { cString, stableMemory, wordsOf } from '../memory.js';

/** Mounts of a namespace of our own: mount_namespaces(7). All return 0 or -errno. */

const libc = {
  unshare: declareInt('unshare', 'int'),
  mount: declareInt('mount', 'void *', 'void *', 'void *', 'int64', 'void *'),
  umount2: declareInt('umount2', 'void *', 'int'),
  setns: declareInt('setns', 'int', 'int'),
  poll: declareInt('poll', 'void *', 'uint32', 'int'),
};

const CLONE_FS = 0x200;
const CLONE_NEWNS = 0x20000;
const CLONE_NEWUSER = 0x10000000;
const MS_RDONLY = 1;
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;
const MS_BIND = 0x1000;
const MS_REC = 0x4000;
const MS_PRIVATE = 0x40000;
const MS_SLAVE = 0x80000;
const MNT_DETACH = 2;
/** MOVE_MOUNT_F_EMPTY_PATH and MOVE_MOUNT_T_EMPTY_PATH: both are descriptors. */
const MOVE_BY_DESCRIPTORS = 0x44;
const AT_EMPTY_PATH = 0x1000;
const POLLIN = 1;
const POLLPRI = 2;

const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;

const AT_RECURSIVE = 0x8000;
export const MOUNT_ATTR_RDONLY = 1;
export const MOUNT_ATTR_NOSUID = 2;
export const MOUNT_ATTR_NODEV = 4;
export const MOUNT_ATTR_NOEXEC = 8;
/** `struct mount_attr`: attr_set, attr_clr, propagation and userns_fd, 64 bits each. */
const MOUNT_ATTR_BYTES = 32;
const PROPAGATION = 4;

const HERE = cString('.');
const EMPTY = cString('');
const TMPFS = cString('tmpfs');

/**
 * From now on this process, which must have one thread, has every capability over a copy of all mounts, in a user
 * namespace of its own: user_namespaces(7).
 */
export function ownMountsInUserNamespace(): number {
  return libc.unshare(CLONE_NEWUSER | CLONE_NEWNS);
}

/**
 * From now on the calling thread has its own copy of all mounts. No change of it is seen elsewhere. What others mount on
 * those of their mounts that are shared is mounted in ours, too, until `makePrivate`.
 */
export function ownMounts(): number {
  const failed = libc.unshare(CLONE_NEWNS);
  return failed < 0 ? failed : libc.mount(null, cString('/'), null, MS_REC | MS_SLAVE, null);
}

/** From now on nothing that others mount is seen in a mount of ours, nor in those below it. */
export function makePrivate(mount: Uint8Array): number {
  return libc.mount(null, mount, null, MS_REC | MS_PRIVATE, null);
}

/** Mounts a directory, with what is mounted below it, on itself. */
export function bindToItself(directory: Uint8Array): number {
  return libc.mount(directory, directory, null, MS_BIND | MS_REC, null);
}

/**
 * A copy of the mount that a path is on, from that path on, attached nowhere: open_tree(2) with OPEN_TREE_CLONE. It takes
 * CAP_SYS_ADMIN.
 *
 * @returns a descriptor, which is O_PATH, or -errno
 */
export function mountCopy(path: Uint8Array, directory = AT_FDCWD): number {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
  return syscall(architecture.syscalls.open_tree, directory, addressOf(path), flags, 0, 0, 0);
}

/**
 * Makes the working directory, which must be a mount, the root of every process of the mount namespace, and takes away
 * everything else that is mounted there: pivot_root(2), "pivot_root(".", ".")".
 */
export function pivotToWorkingDirectory(): number {
  const here = addressOf(HERE);
  const failed = syscall(architecture.syscalls.pivot_root, here, here, 0, 0, 0, 0);
  return failed < 0 ? failed : libc.umount2(HERE, MNT_DETACH);
}

/** Mounts an empty directory in the place of another one, in which nobody can make anything: tmpfs(5). */
export function mountNothing(directory: Uint8Array): number {
  const flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  return libc.mount(TMPFS, directory, TMPFS, flags, cString('size=4k,nr_inodes=1,mode=0555'));
}

/** The calling thread has a root and a working directory of its own from now on, as `enterMounts` demands. */
export function ownRoot(): number {
  return libc.unshare(CLONE_FS);
}

/** The calling thread sees the mounts of this namespace from now on: setns(2). @param namespace a descriptor */
export function enterMounts(namespace: number): number {
  return libc.setns(namespace, CLONE_NEWNS);
}

/**
 * Opens what is mounted below a directory, whoever renames meanwhile.
 *
 * @param path from there, as a table of mounts tells it: a character for each byte
 * @returns an O_PATH descriptor, perhaps of another mount, or -errno
 */
export function openBelow(directory: number, path: string): number {
  const bytes = stableMemory(path.length + 1);
  bytes.set(Buffer.from(path, 'latin1'));
  return openResolving(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)(directory, bytes, O_PATH, 0);
}

/** A copy of the mount that is open there, without those below it, attached nowhere; a descriptor or -errno. */
export function copyOfMount(mounted: number): number {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
  return syscall(architecture.syscalls.open_tree, mounted, addressOf(EMPTY), flags, 0, 0, 0);
}

/** Attaches such a copy where `target` is open. */
export function attachMount(copy: number, target: number): number {
  const nothing = addressOf(EMPTY);
  const { move_mount } = architecture.syscalls;
  return syscall(move_mount, copy, nothing, target, nothing, MOVE_BY_DESCRIPTORS, 0);
}

/** Takes a mount away, also while it is used: umount2(2). A link is followed. */
export function detachMount(path: Uint8Array): number {
  return libc.umount2(path, MNT_DETACH);
}

const pollfds = stableMemory(16);

/**
 * Waits until something is mounted, unmounted or changed in the namespace of a mountinfo: proc_pid_mountinfo(5).
 *
 * @param process a pidfd
 * @returns whether that came to pass before the process ended
 */
export function waitForMounts(table: number, process: number): boolean {
  const words = wordsOf(pollfds);
  const halves = new Uint16Array(pollfds.buffer, 0, 8);
  words[0] = table;
  words[2] = process;
  halves[2] = POLLPRI;
  halves[6] = POLLIN;
  for (;;) {
    const ready = libc.poll(pollfds, 2, -1);
    if (halves[7] !== 0) return false;
    // a signal interrupts it
    if (ready > 0) return true;
  }
}

/** Attributes for the mount that is the working directory, and for all that is mounted below it: mount_setattr(2). */
export class MountAttributes {
  readonly #attributes = stableMemory(MOUNT_ATTR_BYTES);
  readonly #addresses = [addressOf(HERE), addressOf(this.#attributes)] as const;

  /** @param set some of MOUNT_ATTR_*; what is set already stays */
  constructor(set: number) {
    wordsOf(this.#attributes)[0] = set;
  }

  /** @returns 0 or -errno; ENOSYS before Linux 5.12 */
  set(): number {
    const { mount_setattr } = architecture.syscalls;
    const [here, attributes] = this.#addresses;
    return syscall(mount_setattr, AT_FDCWD, here, AT_RECURSIVE, attributes, MOUNT_ATTR_BYTES, 0);
  }

  /** The same for a mount that is attached nowhere, which is private from then on. */
  setOn(copy: number): number {
    const { mount_setattr } = architecture.syscalls;
    const [, attributes] = this.#addresses;
    wordsOf(this.#attributes)[PROPAGATION] = MS_PRIVATE;
    const flags = AT_EMPTY_PATH | AT_RECURSIVE;
    return syscall(mount_setattr, copy, addressOf(EMPTY), flags, attributes, MOUNT_ATTR_BYTES, 0);
  }
}
