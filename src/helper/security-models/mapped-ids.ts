import type { GuestCredentials, Owner } from '../credentials/guest-credentials.js';
import type { PathResolver } from '../paths/path-resolver.js';
import type { Request } from '../../proxy-protocol/decoder.js';
import type { ByteSpan } from '../../proxy-protocol/frame.js';
import type { RequestName } from '../../proxy-protocol/requests.js';
import { NO_ID } from '../../syscalls/privileged/credentials.js';
import * as errno from '../../abi/errno.js';
import { O_NOFOLLOW } from '../../syscalls/files.js';
import { Destination, type Pointer } from '../../syscalls/libc.js';
import { cString, stableMemory } from '../../syscalls/memory.js';
import { FileStatus } from '../../syscalls/status.js';
import { removexattr, setxattr } from '../../syscalls/xattrs.js';
import { CAPABILITY_BYTES, giveCapability, isCapability, translateCapability } from './file-capability.js';
import { type IdMap, OVERFLOW_ID, UNMAPPED } from './id-map.js';
import type { Inode } from './inode.js';
import { Passthrough, type PassthroughParts } from './passthrough.js';
import { translateAcl } from './posix-acl.js';
import { Times } from './times.js';

const ROOT_GROUP = 0;
/** The longest value of an attribute: xattr(7). */
const MAX_VALUE_BYTES = 65_536;
const CAPABILITY = Buffer.from('security.capability');
const CAPABILITY_NAME = cString('security.capability');
const ACLS = [Buffer.from('system.posix_acl_access'), Buffer.from('system.posix_acl_default')];

/** What was refused: an id of the guest's that has none on the host, or of the host's that has none in the guest. */
export type RefusedId =
  | { readonly uid: number }
  | { readonly gid: number }
  | { readonly hostUid: number }
  | { readonly hostGid: number }
  | { readonly attribute: string };

/** Is told of every request that was refused. */
export type IdRefusal = (request: RequestName, refused: RefusedId) => void;

export interface MappedIdsParts extends PassthroughParts {
  readonly uids: IdMap;
  readonly gids: IdMap;
  readonly inode: Inode;
  /** Whether the guest may give capabilities to its files. */
  readonly fileCapabilities: boolean;
  readonly refused: IdRefusal;
}

/**
 * Passthrough with other ids for the guest than for the host, as in a user namespace with an id map.
 *
 * An id of the guest that has none on the host is EPERM; an id of the host that has none in the guest
 * is shown as the overflow id, and the attributes of what belongs to it cannot be changed. Whose an inode is, is decided
 * of the inode that is changed then, never of a path.
 */
export class MappedIds extends Passthrough {
  readonly #paths: PathResolver;
  readonly #credentials: GuestCredentials;
  readonly #uids: IdMap;
  readonly #gids: IdMap;
  readonly #inode: Inode;
  readonly #fileCapabilities: boolean;
  readonly #refused: IdRefusal;
  readonly #status = new FileStatus();
  /** Of what is made, or changed. */
  readonly #owner = { uid: 0, gid: 0 };
  readonly #acl = new Destination(stableMemory(MAX_VALUE_BYTES));
  readonly #times = new Times();
  readonly #capability = new Destination(stableMemory(CAPABILITY_BYTES));

  constructor(parts: MappedIdsParts) {
    super(parts);
    this.#paths = parts.paths;
    this.#credentials = parts.credentials;
    this.#uids = parts.uids;
    this.#gids = parts.gids;
    this.#inode = parts.inode;
    this.#fileCapabilities = parts.fileCapabilities;
    this.#refused = parts.refused;
  }

  override chown({ path, uid, gid }: Request<'chown'>): number {
    const user = uid === NO_ID ? NO_ID : this.#uids.toHost(uid);
    if (user === UNMAPPED) return this.#refuse('chown', { uid });
    const group = gid === NO_ID ? NO_ID : this.#gids.toHost(gid);
    if (group === UNMAPPED) return this.#refuse('chown', { gid });
    const failed = this.#hold(path, O_NOFOLLOW);
    return failed < 0 ? failed : this.#chown(user, group);
  }

  /** With all rights: the kernel would let nobody else give a file away. */
  #chown(user: number, group: number): number {
    const hostUid = this.#status.words[FileStatus.UID] ?? 0;
    if (this.#uids.toGuest(hostUid) === UNMAPPED) return this.#refuse('chown', { hostUid });
    const hostGid = this.#status.words[FileStatus.GID] ?? 0;
    if (this.#gids.toGuest(hostGid) === UNMAPPED) return this.#refuse('chown', { hostGid });
    return this.#inode.chown(user, group);
  }

  override lstat(request: Request<'lstat'>, status: FileStatus): number {
    const failed = super.lstat(request, status);
    if (failed < 0) return failed;
    status.words[FileStatus.UID] = shown(this.#uids, status.words[FileStatus.UID] ?? 0);
    status.words[FileStatus.GID] = shown(this.#gids, status.words[FileStatus.GID] ?? 0);
    return failed;
  }

  readonly #chmod = ({ mode }: Request<'chmod'>): number => this.#inode.chmod(mode);
  readonly #utime = (request: Request<'utime'>): number => this.#inode.utime(this.#times.of(request));

  readonly #setxattr = ({ name, value, size, flags }: Request<'lsetxattr'>): number => {
    const at = this.#inode.enter();
    if (typeof at === 'number') return at;
    const data = isAcl(name) ? this.#acl.address : this.#paths.data(value);
    return setxattr(at, { name: this.#paths.string(name), value: data, size, flags });
  };

  readonly #removexattr = ({ name }: Request<'lremovexattr'>): number => {
    const at = this.#inode.enter();
    return typeof at === 'number' ? at : removexattr(at, this.#paths.string(name));
  };

  override chmod(request: Request<'chmod'>): number {
    return this.#asOwner('chmod', request, 0, this.#chmod);
  }

  override utime(request: Request<'utime'>): number {
    return this.#asOwner('utime', request, O_NOFOLLOW, this.#utime);
  }

  override setxattr(request: Request<'lsetxattr'>): number {
    const { name, value, size } = request;
    if (size !== value.length) return -errno.EINVAL;
    if (equals(name, CAPABILITY)) return this.#giveCapability(request);
    if (isAcl(name)) {
      const acl = this.#acl.bytes.subarray(0, size);
      acl.set(value.frame.subarray(value.start, value.start + size));
      const failed = translateAcl(acl, this.#toUser, this.#toGroup);
      if (failed < 0) return failed;
    }
    return this.#asOwner('lsetxattr', request, O_NOFOLLOW, this.#setxattr);
  }

  /** They count in user namespaces of a root of the guest's, where the host would take them for its own root's. */
  #giveCapability({ path, value, flags }: Request<'lsetxattr'>): number {
    if (!this.#fileCapabilities) return this.#refuse('lsetxattr', { attribute: 'security.capability' });
    const given = value.frame.subarray(value.start, value.start + value.length);
    if (!isCapability(given)) return -errno.EINVAL;
    const { bytes } = this.#capability;
    const uid = giveCapability(given, bytes, this.#uids);
    if (uid !== undefined) return this.#refuse('lsetxattr', { uid });
    return this.#withAllRights('lsetxattr', path, (at) =>
      setxattr(at, { name: CAPABILITY_NAME, value: bytes, size: CAPABILITY_BYTES, flags }),
    );
  }

  override removexattr(request: Request<'lremovexattr'>): number {
    if (equals(request.name, CAPABILITY) && this.#fileCapabilities) {
      return this.#withAllRights('lremovexattr', request.path, (at) => removexattr(at, CAPABILITY_NAME));
    }
    return this.#asOwner('lremovexattr', request, O_NOFOLLOW, this.#removexattr);
  }

  override getxattr(request: Request<'lgetxattr'>, value: Destination, size: number): number {
    if (equals(request.name, CAPABILITY)) return this.#getCapability(request, value, size);
    const length = super.getxattr(request, value, size);
    if (length <= 0 || size === 0 || !isAcl(request.name)) return length;
    const failed = translateAcl(value.bytes.subarray(0, length), this.#showUser, this.#showGroup);
    return failed < 0 ? failed : length;
  }

  #getCapability(request: Request<'lgetxattr'>, value: Destination, size: number): number {
    const capability = this.#capability;
    const found = super.getxattr(request, capability, CAPABILITY_BYTES);
    const length = found < 0 ? found : translateCapability(capability.bytes, found, this.#uids);
    if (length < 0 || size === 0) return length;
    if (length > size) return -errno.ERANGE;
    value.bytes.set(capability.bytes.subarray(0, length));
    return length;
  }

  /** The host's id for one that an ACL names, or UNMAPPED, which ends the request. */
  readonly #toUser = (uid: number): number => {
    const host = this.#uids.toHost(uid);
    if (host === UNMAPPED) this.#refuse('lsetxattr', { uid });
    return host;
  };

  readonly #toGroup = (gid: number): number => {
    const host = this.#gids.toHost(gid);
    if (host === UNMAPPED) this.#refuse('lsetxattr', { gid });
    return host;
  };

  readonly #showUser = (id: number): number => shown(this.#uids, id);
  readonly #showGroup = (id: number): number => shown(this.#gids, id);

  protected override ownerOf(name: RequestName, { uid, gid }: Owner): Owner | number {
    // who made something must be said; its group never is with 9P2000.u, and is the helper's own without a map
    this.#owner.uid = this.#uids.ownerToHost(uid, NO_ID);
    if (this.#owner.uid === UNMAPPED) return this.#refuse(name, { uid: asSigned(uid) });
    this.#owner.gid = this.#gids.ownerToHost(gid, ROOT_GROUP);
    return this.#owner.gid === UNMAPPED ? this.#refuse(name, { gid: asSigned(gid) }) : this.#owner;
  }

  /**
   * Changes an attribute with the ids of the inode's owner: what belongs to nobody of the guest's is left alone. Nothing
   * but ownership and CAP_DAC_OVERRIDE is needed.
   *
   * @param flags O_NOFOLLOW for a symbolic link itself, else 0
   */
  #asOwner<R extends Request<'lstat'>>(
    name: RequestName,
    request: R,
    flags: number,
    change: (request: R) => number,
  ): number {
    const failed = this.#hold(request.path, flags);
    if (failed < 0) return failed;
    const hostUid = this.#status.words[FileStatus.UID] ?? 0;
    if (this.#uids.toGuest(hostUid) === UNMAPPED) return this.#refuse(name, { hostUid });
    const gid = this.#status.words[FileStatus.GID] ?? 0;
    // without its group the kernel takes a set-gid bit off
    const group = this.#gids.toGuest(gid) === UNMAPPED ? OVERFLOW_ID : gid;
    this.#owner.uid = hostUid;
    this.#owner.gid = group;
    return this.#credentials.run(this.#owner, change, request, undefined);
  }

  /** Changes an attribute of what belongs to the guest, for which ownership is not enough. */
  #withAllRights(name: RequestName, path: ByteSpan, change: (at: Pointer) => number): number {
    const failed = this.#hold(path, O_NOFOLLOW);
    if (failed < 0) return failed;
    const hostUid = this.#status.words[FileStatus.UID] ?? 0;
    if (this.#uids.toGuest(hostUid) === UNMAPPED) return this.#refuse(name, { hostUid });
    const at = this.#inode.enter();
    return typeof at === 'number' ? at : change(at);
  }

  /** Holds an inode and reads its status. @returns 0 or -errno */
  #hold(path: ByteSpan, flags: number): number {
    const at = this.#paths.resolveToOpen(path);
    if (typeof at === 'number') return at;
    const failed = this.#inode.hold(at, flags);
    return failed < 0 ? failed : this.#inode.status(this.#status);
  }

  #refuse(request: RequestName, refused: RefusedId): number {
    this.#refused(request, refused);
    return -errno.EPERM;
  }
}

/** As people write NO_ID. */
function asSigned(id: number): number {
  return id === NO_ID ? -1 : id;
}

function shown(ids: IdMap, host: number): number {
  const guest = ids.toGuest(host);
  return guest === UNMAPPED ? OVERFLOW_ID : guest;
}

function isAcl(name: ByteSpan): boolean {
  return ACLS.some((acl) => equals(name, acl));
}

function equals({ frame, start, length }: ByteSpan, bytes: Uint8Array): boolean {
  return length === bytes.length && bytes.every((byte, at) => byte === frame[start + at]);
}
