import type { GuestCredentials } from '../credentials/guest-credentials.js';
import type { Request } from '../protocol/decoder.js';
import type { ByteSpan } from '../protocol/frame.js';
import type { RequestName } from '../protocol/requests.js';
import * as errno from '../syscalls/errno.js';
import { Destination } from '../syscalls/libc.js';
import { stableMemory } from '../syscalls/memory.js';
import { FileStatus, type FileSystemStatus } from '../syscalls/status.js';
import { CAPABILITY_BYTES, translateCapability } from './file-capability.js';
import { type IdMap, OVERFLOW_ID, UNMAPPED } from './id-map.js';
import { translateAcl } from './posix-acl.js';
import type { SecurityModel } from './security-model.js';

/** "Leave it as it is" in a chown(2). */
const UNCHANGED = 0xffff_ffff;

const CAPABILITY = Buffer.from('security.capability');
const ACLS = [Buffer.from('system.posix_acl_access'), Buffer.from('system.posix_acl_default')];

/**
 * A security model whose ids are others for the guest than for the host, as in a user namespace with an id map.
 *
 * The ids of a request are replaced in the decoded request itself, and those of an ACL in its frame: both are read anew
 * for every request. An id of the guest that has none on the host is EPERM; an id of the host that has none in the guest
 * is shown as the overflow id, and the attributes of what belongs to it cannot be changed.
 */
export class MappedIds implements SecurityModel {
  readonly #model: SecurityModel;
  readonly #uids: IdMap;
  readonly #gids: IdMap;
  readonly #credentials: GuestCredentials;
  readonly #refused: (request: string) => void;
  readonly #status = new FileStatus();
  readonly #capability = new Destination(stableMemory(CAPABILITY_BYTES));

  /** @param refused is told the name of every request that was refused */
  constructor(
    model: SecurityModel,
    uids: IdMap,
    gids: IdMap,
    credentials: GuestCredentials,
    refused: (request: string) => void,
  ) {
    this.#model = model;
    this.#uids = uids;
    this.#gids = gids;
    this.#credentials = credentials;
    this.#refused = refused;
  }

  create(request: Request<'create'>): number {
    return this.#takeOwner(request) ? this.#model.create(request) : this.#refuse('create');
  }

  mknod(request: Request<'mknod'>): number {
    return this.#takeOwner(request) ? this.#model.mknod(request) : this.#refuse('mknod');
  }

  mkdir(request: Request<'mkdir'>): number {
    return this.#takeOwner(request) ? this.#model.mkdir(request) : this.#refuse('mkdir');
  }

  symlink(request: Request<'symlink'>): number {
    return this.#takeOwner(request) ? this.#model.symlink(request) : this.#refuse('symlink');
  }

  chown(request: Request<'chown'>): number {
    if (!this.#takeOwner(request, UNCHANGED)) return this.#refuse('chown');
    const status = this.#status;
    const failed = this.#model.lstat(request, status);
    if (failed < 0) return failed;
    const isOurs =
      this.#uids.toGuest(status.words[FileStatus.UID] ?? 0) !== UNMAPPED &&
      this.#gids.toGuest(status.words[FileStatus.GID] ?? 0) !== UNMAPPED;
    return isOurs ? this.#model.chown(request) : this.#refuse('chown');
  }

  lstat(request: Request<'lstat'>, status: FileStatus): number {
    const failed = this.#model.lstat(request, status);
    if (failed < 0) return failed;
    status.words[FileStatus.UID] = shown(this.#uids, status.words[FileStatus.UID] ?? 0);
    status.words[FileStatus.GID] = shown(this.#gids, status.words[FileStatus.GID] ?? 0);
    return failed;
  }

  readonly #chmod = (request: Request<'chmod'>): number => this.#model.chmod(request);
  readonly #utime = (request: Request<'utime'>): number => this.#model.utime(request);
  readonly #setxattr = (request: Request<'lsetxattr'>): number => this.#model.setxattr(request);
  readonly #removexattr = (request: Request<'lremovexattr'>): number => this.#model.removexattr(request);

  chmod(request: Request<'chmod'>): number {
    return this.#asOwner('chmod', request, this.#chmod);
  }

  utime(request: Request<'utime'>): number {
    return this.#asOwner('utime', request, this.#utime);
  }

  setxattr(request: Request<'lsetxattr'>): number {
    const { name, value } = request;
    // a root of its own, which the host would take for the host's
    if (equals(name, CAPABILITY)) return this.#refuse('lsetxattr');
    if (isAcl(name)) {
      const failed = translateAcl(value.frame, value.start, value.length, this.#toUser, this.#toGroup);
      if (failed === -errno.EPERM) return this.#refuse('lsetxattr');
      if (failed < 0) return failed;
    }
    return this.#asOwner('lsetxattr', request, this.#setxattr);
  }

  removexattr(request: Request<'lremovexattr'>): number {
    return this.#asOwner('lremovexattr', request, this.#removexattr);
  }

  getxattr(request: Request<'lgetxattr'>, value: Destination, size: number): number {
    if (equals(request.name, CAPABILITY)) return this.#getCapability(request, value, size);
    const length = this.#model.getxattr(request, value, size);
    if (length <= 0 || size === 0 || !isAcl(request.name)) return length;
    const failed = translateAcl(value.bytes, 0, length, this.#showUser, this.#showGroup);
    return failed < 0 ? failed : length;
  }

  #getCapability(request: Request<'lgetxattr'>, value: Destination, size: number): number {
    const capability = this.#capability;
    const found = this.#model.getxattr(request, capability, CAPABILITY_BYTES);
    const length = found < 0 ? found : translateCapability(capability.bytes, found, this.#uids);
    if (length < 0 || size === 0) return length;
    if (length > size) return -errno.ERANGE;
    value.bytes.set(capability.bytes.subarray(0, length));
    return length;
  }

  readonly #toUser = (id: number): number => this.#uids.toHost(id);
  readonly #toGroup = (id: number): number => this.#gids.toHost(id);
  readonly #showUser = (id: number): number => shown(this.#uids, id);
  readonly #showGroup = (id: number): number => shown(this.#gids, id);

  /**
   * Replaces the ids of a request.
   *
   * @param kept an id that stays as it is
   * @returns whether there are any to take their place
   */
  #takeOwner(request: { readonly uid: number; readonly gid: number }, kept?: number): boolean {
    const owner: { uid: number; gid: number } = request;
    if (owner.uid !== kept) owner.uid = this.#uids.toHost(owner.uid);
    if (owner.gid !== kept) owner.gid = this.#gids.toHost(owner.gid);
    return owner.uid !== UNMAPPED && owner.gid !== UNMAPPED;
  }

  /**
   * Changes an attribute with the ids of the inode's owner: what belongs to nobody of the guest's is left alone, by the
   * kernel even when somebody puts it there in the last moment. Nothing but ownership and CAP_DAC_OVERRIDE is needed.
   */
  #asOwner<R extends Request<'lstat'>>(
    name: RequestName,
    request: R,
    change: (request: R) => number,
  ): number {
    const status = this.#status;
    const failed = this.#model.lstat(request, status);
    if (failed < 0) return failed;
    const uid = status.words[FileStatus.UID] ?? 0;
    const gid = status.words[FileStatus.GID] ?? 0;
    if (this.#uids.toGuest(uid) === UNMAPPED) return this.#refuse(name);
    // without its group the kernel takes a set-gid bit off
    const group = this.#gids.toGuest(gid) === UNMAPPED ? OVERFLOW_ID : gid;
    return this.#credentials.run(uid, group, change, request, undefined, undefined);
  }

  #refuse(request: RequestName): number {
    this.#refused(request);
    return -errno.EPERM;
  }

  open(request: Request<'open'>): number {
    return this.#model.open(request);
  }

  closeDescriptor(descriptor: number): void {
    this.#model.closeDescriptor(descriptor);
  }

  link(request: Request<'link'>): number {
    return this.#model.link(request);
  }

  rename(request: Request<'rename'>): number {
    return this.#model.rename(request);
  }

  remove(request: Request<'remove'>): number {
    return this.#model.remove(request);
  }

  truncate(request: Request<'truncate'>): number {
    return this.#model.truncate(request);
  }

  readlink(request: Request<'readlink'>, target: Destination, size: number): number {
    return this.#model.readlink(request, target, size);
  }

  statfs(request: Request<'statfs'>, status: FileSystemStatus): number {
    return this.#model.statfs(request, status);
  }

  generation(request: Request<'getversion'>, generation: Int32Array, at: number): number {
    return this.#model.generation(request, generation, at);
  }

  listxattr(request: Request<'llistxattr'>, list: Destination, size: number): number {
    return this.#model.listxattr(request, list, size);
  }
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
