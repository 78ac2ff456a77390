import { AT_FDCWD, chdir, close, fchdir, O_DIRECTORY, O_PATH, openat } from '../../syscalls/files.js';
import { cString } from '../../syscalls/memory.js';
import { type Mount, MountTable } from '../../syscalls/mount-table.js';
import {
  attachMount,
  copyOfMount,
  detachMount,
  enterMounts,
  type MountAttributes,
  openBelow,
  ownRoot,
  waitForMounts,
} from '../../syscalls/privileged/mounts.js';
import { FileStatus, mountId } from '../../syscalls/status.js';
import { isFollowed } from './followed-types.js';
import { MountTree, pair } from './mount-tree.js';
import { attributesOf } from './root.js';

/**
 * Brings what the host mounts inside the export into the mounts of a helper, and takes out what it unmounts.
 *
 * The kernel could do that itself (mount propagation), but as the host mounted it: with devices and set-id programs,
 * writable, and a procfs, whose magic links lead out of the export and whose files govern the host. Here every mount is
 * copied, restricted, and only then attached, so that there is no moment at which it can be used otherwise.
 *
 * In the place of what is not brought in there is a placeholder: what lies below, as a mount that is read-only. The kernel
 * would unmount what the host has there when the guest removes a directory that is no mount point in its own mounts.
 */
export interface FollowedMounts {
  /** The namespaces of the host's mounts and of the helper's: descriptors. */
  readonly hostNamespace: number;
  readonly ownNamespace: number;
  /** O_PATH descriptors of the export in each of them. */
  readonly hostDirectory: number;
  readonly ownDirectory: number;
  /** The host's mountinfo, and the export's path in it as latin1. */
  readonly table: number;
  readonly path: string;
  readonly readOnly: boolean;
}

/** What the helper has of a mount of the host's. */
interface OwnMount {
  readonly id: number;
  /** O_PATH, as the guest can rename the directories of a path; undefined while another mount lies upon it. */
  readonly descriptor: number | undefined;
  readonly isPlaceholder: boolean;
}

const ROOT = cString('/');
/** How often a path is looked up that somebody renames meanwhile. */
const ATTEMPTS = 20;

export class MountFollower {
  private readonly mounts: FollowedMounts;
  private readonly leftOut: (mount: Mount) => void;
  /** By the identity of the host's, in the order in which they were mounted. */
  private readonly followed = new Map<string, OwnMount>();
  private readonly self = openat(AT_FDCWD, cString('/proc/self'), O_PATH | O_DIRECTORY, 0);
  private readonly ownDescriptors = openat(AT_FDCWD, cString('/proc/self/fd'), O_PATH | O_DIRECTORY, 0);
  private readonly hostTable: MountTable;
  private readonly status = new FileStatus();
  private readonly attributes;
  private readonly placeholderAttributes = attributesOf(true);

  /**
   * Throws nothing; where the namespaces may not be entered nothing is followed.
   *
   * @param leftOut is told once of each mount that gets a placeholder
   */
  constructor(mounts: FollowedMounts, leftOut: (mount: Mount) => void) {
    this.mounts = mounts;
    this.hostTable = new MountTable(mounts.table);
    this.leftOut = leftOut;
    this.attributes = attributesOf(mounts.readOnly);
    ownRoot();
    // ours are a copy of the host's, in which something may have changed since
    const { pairs, left } = pair(this.hostTree(), this.ownTree());
    for (const { original, copy } of pairs) {
      const opened = this.openOwn(copy.id);
      const descriptor = opened < 0 ? undefined : opened;
      this.followed.set(original.identity, { id: copy.id, descriptor, isPlaceholder: false });
    }
    for (const { id } of [...left].reverse()) this.detach({ id, descriptor: undefined });
  }

  /** Makes the helper's mounts those of the host. */
  follow(): void {
    const host = this.hostTree();
    for (const [identity, own] of [...this.followed].reverse()) {
      if (host.get(identity) !== undefined) continue;
      this.detach(own);
      this.followed.delete(identity);
    }
    this.bring(host, host.root, mountId(this.mounts.ownDirectory, this.status));
  }

  /**
   * Waits until the host mounts or unmounts anything.
   *
   * @param helper a pidfd
   * @returns whether it still runs
   */
  wait(helper: number): boolean {
    return waitForMounts(this.mounts.table, helper);
  }

  private hostTree(): MountTree {
    const { path, hostDirectory } = this.mounts;
    return new MountTree(this.hostTable.read(), mountId(hostDirectory, this.status), path);
  }

  private ownTree(): MountTree {
    const root = mountId(this.mounts.ownDirectory, this.status);
    const entered = enterMounts(this.mounts.ownNamespace);
    const table = entered < 0 ? entered : openat(this.self, cString('mountinfo'), 0, 0);
    const mounts = new MountTable(table).read();
    close(table);
    return new MountTree(mounts, root, mounts.find(({ id }) => id === root)?.path ?? '/');
  }

  /** @param parent a mount of the host's, which is `ownParent` in the helper's mounts */
  private bring(host: MountTree, parent: number, ownParent: number): void {
    for (const mount of host.on(parent)) this.bringTree(host, mount, ownParent);
  }

  private bringTree(host: MountTree, mount: Mount, ownParent: number): void {
    const own = this.bringOne(host, mount, ownParent);
    if (own?.isPlaceholder === false) this.bring(host, mount.id, own.id);
    if (own !== undefined) return;
    // no path leads to a mount that another one lies upon, which is brought in without it
    for (const upper of this.upon(host, mount)) this.bringTree(host, upper, ownParent);
  }

  private upon(host: MountTree, { id, path }: Mount): readonly Mount[] {
    return host.on(id).filter((mount) => mount.path === path);
  }

  private bringOne(host: MountTree, mount: Mount, ownParent: number): OwnMount | undefined {
    const before = this.followed.get(mount.identity);
    if (before?.isPlaceholder === false) return before;
    if (isFollowed(mount) && this.upon(host, mount).length > 0) return before;
    const restricted = this.copy(mount);
    if (restricted < 0 && before !== undefined) return before;
    if (before !== undefined) this.detach(before);
    const own = this.attach(mount, restricted, ownParent);
    if (own === undefined) this.followed.delete(mount.identity);
    else this.followed.set(mount.identity, own);
    if (own?.isPlaceholder === true) this.leftOut(mount);
    return own;
  }

  /** A restricted copy of a mount of the host's, attached nowhere; negative where there is none. */
  private copy(mount: Mount): number {
    if (!isFollowed(mount) || enterMounts(this.mounts.hostNamespace) < 0) return -1;
    const isIt = (opened: number): boolean =>
      mountId(opened, this.status) === mount.id && this.isStill(mount.identity);
    const source = this.open(this.mounts.hostDirectory, () => this.hostTree().get(mount.identity), isIt);
    const copy = copyOfMount(source);
    close(source);
    return this.restrict(copy, this.attributes);
  }

  /**
   * Attaches a copy where the host has the mount, or a placeholder.
   *
   * @param restricted the copy, or a negative number
   */
  private attach(mount: Mount, restricted: number, ownParent: number): OwnMount | undefined {
    if (enterMounts(this.mounts.ownNamespace) < 0) return undefined;
    const isOnParent = (opened: number): boolean => mountId(opened, this.status) === ownParent;
    const find = (): Mount | undefined => this.hostTree().get(mount.identity);
    const target = this.open(this.mounts.ownDirectory, find, isOnParent);
    const isPlaceholder = restricted < 0;
    const descriptor = isPlaceholder
      ? this.restrict(copyOfMount(target), this.placeholderAttributes)
      : restricted;
    const attached = attachMount(descriptor, target) >= 0;
    close(target);
    if (attached) return { id: mountId(descriptor, this.status), descriptor, isPlaceholder };
    close(descriptor);
    return undefined;
  }

  /** @returns the copy, or a negative number */
  private restrict(copy: number, attributes: MountAttributes): number {
    if (copy < 0) return copy;
    const failed = attributes.setOn(copy);
    if (failed >= 0) return copy;
    close(copy);
    return failed;
  }

  /** Opens the path of a mount, again and again while its directories are renamed. @returns negative when it cannot */
  private open(directory: number, find: () => Mount | undefined, isIt: (opened: number) => boolean): number {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const mount = find();
      if (mount === undefined) break;
      const opened = openBelow(directory, mount.path);
      if (isIt(opened)) return opened;
      close(opened);
    }
    return -1;
  }

  /**
   * Whether a mount that is open is the one that was read of. As long as it is open its id is no other's, but it may have
   * come in the place of that one, with the same id, before it was opened: a procfs perhaps.
   */
  private isStill(identity: string): boolean {
    const mount = this.hostTree().get(identity);
    return mount !== undefined && isFollowed(mount);
  }

  private openOwn(id: number): number {
    const find = (): Mount | undefined => this.ownTree().byId(id);
    return this.open(this.mounts.ownDirectory, find, (opened) => mountId(opened, this.status) === id);
  }

  private detach({ id, descriptor = this.openOwn(id) }: Pick<OwnMount, 'id' | 'descriptor'>): void {
    if (enterMounts(this.mounts.ownNamespace) >= 0 && fchdir(this.ownDescriptors) >= 0) {
      detachMount(cString(String(descriptor)));
      chdir(ROOT);
    }
    close(descriptor);
  }
}
