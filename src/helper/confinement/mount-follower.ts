import { AT_FDCWD, chdir, close, fchdir, O_DIRECTORY, O_PATH, openat, readAt } from '../../syscalls/files.js';
import { cString, stableMemory } from '../../syscalls/memory.js';
import { type Mount, parseMountTable, pathBelow } from '../../syscalls/mount-table.js';
import {
  attachMount,
  copyOfMount,
  detachMount,
  enterMounts,
  openBelow,
  ownRoot,
  waitForMounts,
} from '../../syscalls/privileged/mounts.js';
import { FileStatus, mountId } from '../../syscalls/status.js';
import { attributesOf } from './root.js';

/**
 * Brings what the host mounts inside the export into the mounts of a helper, and takes out what it unmounts.
 *
 * The kernel could do that itself (mount propagation), but as the host mounted it: with devices and set-id programs,
 * writable, and a procfs, whose magic links lead out of the export and whose files govern the host. Here every mount is
 * copied, restricted, and only then attached, so that there is no moment at which it can be used otherwise.
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
  /** The identities of what was mounted at the start. */
  readonly known: readonly string[];
  readonly readOnly: boolean;
  /** A pipe whose other end the helper has. */
  readonly helper: number;
}

/** They show or govern the kernel, other processes or devices; whoever wants to share one mounts it before the start. */
const NEVER_FOLLOWED: ReadonlySet<string> = new Set([
  ...[
    'proc',
    'sysfs',
    'devtmpfs',
    'devpts',
    'cgroup',
    'cgroup2',
    'debugfs',
    'tracefs',
    'securityfs',
    'configfs',
  ],
  ...[
    'bpf',
    'efivarfs',
    'binfmt_misc',
    'fusectl',
    'mqueue',
    'pstore',
    'nsfs',
    'rpc_pipefs',
    'selinuxfs',
    'smackfs',
  ],
  ...['nfsd', 'resctrl', 'functionfs', 'hugetlbfs'],
]);

const TABLE_BYTES = 65_536;
const ROOT = cString('/');

export class MountFollower {
  private readonly mounts: FollowedMounts;
  /**
   * What the helper has of the host's mounts: an O_PATH descriptor of its own one by the identity of the host's, in the order
   * in which they were mounted. Paths would not do, as the guest can rename directories.
   */
  private readonly followed = new Map<string, number>();
  private readonly ownDescriptors = openat(AT_FDCWD, cString('/proc/self/fd'), O_PATH | O_DIRECTORY, 0);
  private readonly block = stableMemory(TABLE_BYTES);
  private readonly status = new FileStatus();
  private readonly attributes;

  /** Throws nothing; where the namespaces may not be entered nothing is followed. */
  constructor(mounts: FollowedMounts) {
    this.mounts = mounts;
    this.attributes = attributesOf(mounts.readOnly);
    ownRoot();
    for (const { identity, path } of this.hostMounts()) {
      if (mounts.known.includes(identity)) this.followed.set(identity, openBelow(mounts.ownDirectory, path));
    }
  }

  /** Makes the helper's mounts those of the host. */
  follow(): void {
    const mounts = this.hostMounts();
    const present = new Set(mounts.map(({ identity }) => identity));
    for (const [identity, own] of [...this.followed].reverse()) {
      if (present.has(identity)) continue;
      this.detach(own);
      this.followed.delete(identity);
    }
    const hidden: string[] = [];
    for (const mount of mounts) {
      if (this.followed.has(mount.identity)) continue;
      const isHidden = hidden.some((path) => pathBelow(path, mount) !== undefined);
      if (isHidden || NEVER_FOLLOWED.has(mount.fileSystem)) hidden.push(mount.path);
      else this.attach(mount);
    }
  }

  /** Waits until the host mounts or unmounts anything. @returns whether the helper still runs */
  wait(): boolean {
    return waitForMounts(this.mounts.table, this.mounts.helper);
  }

  /** Those below the export, with their paths from there. */
  private hostMounts(): readonly Mount[] {
    const { table, path } = this.mounts;
    const parts: Buffer[] = [];
    let at = 0;
    for (;;) {
      const bytes = readAt(table, this.block, TABLE_BYTES, at);
      if (bytes <= 0) break;
      parts.push(Buffer.from(this.block.subarray(0, bytes)));
      at += bytes;
    }
    return parseMountTable(Buffer.concat(parts).toString('latin1')).flatMap((mount) => {
      const below = pathBelow(path, mount);
      return below === undefined || below === '' ? [] : [{ ...mount, path: below }];
    });
  }

  private attach({ id, identity, path }: Mount): void {
    const { hostNamespace, hostDirectory, ownNamespace, ownDirectory } = this.mounts;
    if (enterMounts(hostNamespace) < 0) return;
    const source = openBelow(hostDirectory, path);
    // another one where the guest has moved a directory of the path meanwhile, or a later mount lies upon it
    const own = mountId(source, this.status) === id && this.isStill(identity) ? copyOfMount(source) : -1;
    close(source);
    if (own < 0) return;
    const ready = this.attributes.setOn(own) >= 0 && enterMounts(ownNamespace) >= 0;
    const target = ready ? openBelow(ownDirectory, path) : -1;
    if (target >= 0 && attachMount(own, target) >= 0) this.followed.set(identity, own);
    else close(own);
    close(target);
  }

  /**
   * Whether a mount that is open is the one that was read of. As long as it is open its id is no other's, but it may have
   * come in the place of that one, with the same id, before it was opened: a procfs perhaps.
   */
  private isStill(identity: string): boolean {
    const mount = this.hostMounts().find((found) => found.identity === identity);
    return mount !== undefined && !NEVER_FOLLOWED.has(mount.fileSystem);
  }

  private detach(own: number): void {
    if (enterMounts(this.mounts.ownNamespace) >= 0 && fchdir(this.ownDescriptors) >= 0) {
      detachMount(cString(String(own)));
      chdir(ROOT);
    }
    close(own);
  }
}
