import type { NameResolver } from '../paths/name-resolver.js';
import type { Request } from '../protocol/decoder.js';
import type { ByteSpan } from '../protocol/frame.js';
import * as errno from '../syscalls/errno.js';
import * as files from '../syscalls/files.js';
import type { Destination, Pointer } from '../syscalls/libc.js';
import { write } from '../syscalls/process.js';
import { FileStatus, type FileSystemStatus, fstatfs, lstat } from '../syscalls/status.js';
import type { AttributeStore } from './attribute-store.js';
import type { DescriptorOpener } from './descriptor-opener.js';
import type { GenerationReader } from './generation-reader.js';
import { GuestAttributes, NOT_RECORDED } from './guest-attributes.js';
import type { SecurityModel, XattrModel } from './security-model.js';
import { Times } from './times.js';

const { PERMISSIONS, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } = files;

/** The longest target of a symbolic link, without its NUL: symlink(2). */
const MAX_TARGET_BYTES = 4095;
/** How often a name that vanishes and comes back between two calls is tried again. */
const RACE_ATTEMPTS = 10;

/** What the parts of a mapped model are. */
export interface MappedParts {
  readonly paths: NameResolver;
  readonly descriptors: DescriptorOpener;
  readonly generations: GenerationReader;
  readonly store: AttributeStore;
  readonly xattrs: XattrModel;
  /** Modes on the host of what is made. */
  readonly fileMode: number;
  readonly directoryMode: number;
  readonly hostSymlinks: boolean;
  /** Is told of every special file of the guest that was not opened. */
  readonly refused: () => void;
}

/**
 * The guest's owners, modes and special files are only recorded. On the host everything belongs to this process and is
 * a directory or a regular file: a symbolic link is a file with the target in it. Nothing of it takes a privilege.
 */
export class Mapped implements SecurityModel {
  readonly #parts: MappedParts;
  readonly #paths: NameResolver;
  readonly #store: AttributeStore;
  readonly #status = new FileStatus();
  readonly #found = new GuestAttributes();
  readonly #wanted = new GuestAttributes();
  readonly #times = new Times();

  constructor(parts: MappedParts) {
    this.#parts = parts;
    this.#paths = parts.paths;
    this.#store = parts.store;
  }

  open({ path, flags }: Request<'open'>): number {
    const at = this.#paths.resolveToOpen(path);
    if (typeof at === 'number') return at;
    return this.#paths.done(this.#open(at, flags));
  }

  create(request: Request<'create'>): number {
    if ((request.flags & files.O_CREAT) === 0) return this.open(request);
    const at = this.#paths.resolveName(request.path);
    if (typeof at === 'number') return at;
    return this.#paths.done(this.#create(at, request));
  }

  closeDescriptor(descriptor: number): void {
    this.#parts.descriptors.close(descriptor);
  }

  mknod({ path, mode, device, uid, gid }: Request<'mknod'>): number {
    const type = (mode & S_IFMT) === 0 ? S_IFREG : mode & S_IFMT;
    if (type === S_IFDIR) return -errno.EPERM;
    if (![S_IFREG, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK].includes(type)) return -errno.EINVAL;
    this.#wanted.set(uid, gid, type | (mode & PERMISSIONS), device);
    return this.#makeFile(path, undefined, 0);
  }

  symlink({ target, path, uid, gid }: Request<'symlink'>): number {
    if (target.length === 0) return -errno.ENOENT;
    if (target.length > MAX_TARGET_BYTES) return -errno.ENAMETOOLONG;
    this.#wanted.set(uid, gid, S_IFLNK | 0o777);
    return this.#makeFile(path, this.#paths.string(target), target.length);
  }

  mkdir({ path, mode, uid, gid }: Request<'mkdir'>): number {
    const at = this.#paths.resolveName(path);
    if (typeof at === 'number') return at;
    const made = files.mkdir(at, this.#parts.directoryMode);
    if (made < 0) return this.#paths.done(made);
    this.#wanted.set(uid, gid, S_IFDIR | (mode & PERMISSIONS));
    const failed = this.#store.record(at, this.#wanted);
    if (failed < 0) files.rmdir(at);
    return this.#paths.done(failed);
  }

  link({ existing, path }: Request<'link'>): number {
    const from = this.#paths.resolveOld(existing);
    if (typeof from === 'number') return from;
    const to = this.#paths.resolveName(path);
    if (typeof to === 'number') return this.#paths.done(to);
    return this.#paths.done(this.#store.link(this.#paths.oldDirectory, from, to));
  }

  rename({ existing, path }: Request<'rename'>): number {
    const from = this.#paths.resolveOld(existing);
    if (typeof from === 'number') return from;
    const to = this.#paths.resolveName(path);
    if (typeof to === 'number') return this.#paths.done(to);
    return this.#paths.done(this.#store.rename(this.#paths.oldDirectory, from, to));
  }

  remove({ path }: Request<'remove'>): number {
    const at = this.#paths.resolve(path);
    if (typeof at === 'number') return at;
    return this.#paths.done(this.#store.remove(at));
  }

  lstat({ path }: Request<'lstat'>, status: FileStatus): number {
    const at = this.#paths.resolve(path);
    if (typeof at === 'number') return at;
    return this.#paths.done(this.#look(at, status));
  }

  readlink({ path }: Request<'readlink'>, target: Destination, size: number): number {
    const at = this.#paths.resolve(path);
    if (typeof at === 'number') return at;
    return this.#paths.done(this.#readlink(at, target, size));
  }

  statfs({ path }: Request<'statfs'>, status: FileSystemStatus): number {
    const at = this.#paths.resolve(path);
    if (typeof at === 'number') return at;
    const located = this.#paths.open(at, files.O_PATH, 0);
    if (located < 0) return this.#paths.done(located);
    const failed = fstatfs(located, status);
    files.close(located);
    return this.#paths.done(failed);
  }

  generation({ path }: Request<'getversion'>, generation: Int32Array, index: number): number {
    const at = this.#paths.resolve(path);
    if (typeof at === 'number') return at;
    return this.#paths.done(this.#parts.generations.read(at, generation, index));
  }

  chmod({ path, mode }: Request<'chmod'>): number {
    const at = this.#paths.resolve(path);
    if (typeof at === 'number') return at;
    const failed = this.#look(at, this.#status);
    if (failed < 0) return this.#paths.done(failed);
    const type = this.#status.mode & S_IFMT;
    // as chmod(2), which never changes a link
    if (type === S_IFLNK) return this.#paths.done(-errno.EOPNOTSUPP);
    this.#wanted.set(NOT_RECORDED, NOT_RECORDED, type | (mode & PERMISSIONS));
    return this.#paths.done(this.#store.change(at, this.#wanted));
  }

  chown({ path, uid, gid }: Request<'chown'>): number {
    const at = this.#paths.resolve(path);
    if (typeof at === 'number') return at;
    const failed = this.#look(at, this.#status);
    if (failed < 0) return this.#paths.done(failed);
    this.#wanted.setOwner(uid, gid, this.#status.mode);
    return this.#paths.done(this.#store.change(at, this.#wanted));
  }

  truncate({ path, length }: Request<'truncate'>): number {
    const at = this.#paths.resolve(path);
    if (typeof at === 'number') return at;
    let failed = this.#openable(at);
    if (failed === 0) failed = this.#store.dropCapability(at, this.#found);
    if (failed === 0) failed = this.#parts.descriptors.truncate(at, length);
    return this.#paths.done(failed === -errno.ENXIO ? -errno.EINVAL : failed);
  }

  utime(request: Request<'utime'>): number {
    const at = this.#paths.resolve(request.path);
    if (typeof at === 'number') return at;
    return this.#paths.done(
      files.utimensat(files.AT_FDCWD, at, this.#times.of(request), files.AT_SYMLINK_NOFOLLOW),
    );
  }

  getxattr(request: Request<'lgetxattr'>, value: Destination, size: number): number {
    return this.#parts.xattrs.getxattr(request, value, size);
  }

  listxattr(request: Request<'llistxattr'>, list: Destination, size: number): number {
    return this.#parts.xattrs.listxattr(request, list, size);
  }

  setxattr(request: Request<'lsetxattr'>): number {
    return this.#parts.xattrs.setxattr(request);
  }

  removexattr(request: Request<'lremovexattr'>): number {
    return this.#parts.xattrs.removexattr(request);
  }

  /** The status of an object as the guest has made it. */
  #look(at: Uint8Array, status: FileStatus): number {
    const failed = lstat(at, status);
    if (failed < 0) return failed;
    const unread = this.#store.read(at, this.#found);
    if (unread < 0) return unread;
    this.#found.overlay(status);
    return 0;
  }

  /** Whether an object is, to the guest, one that can be opened. @returns 0, or what open(2) says otherwise */
  #openable(at: Uint8Array): number {
    const failed = this.#look(at, this.#status);
    if (failed < 0) return failed;
    const type = this.#status.mode & S_IFMT;
    if (type === S_IFREG || type === S_IFDIR) return 0;
    if (type === S_IFLNK) return -errno.ELOOP;
    this.#parts.refused();
    return -errno.ENXIO;
  }

  #open(at: Uint8Array, flags: number): number {
    const failed = this.#openable(at);
    return failed < 0 ? failed : this.#openFound(at, flags);
  }

  /**
   * Opens what `#openable` found. What is written to is not the file any more to which the capabilities were given; the
   * emulator writes without asking, so they are gone as soon as it may.
   */
  #openFound(at: Uint8Array, flags: number): number {
    const writes = (flags & (files.O_ACCMODE | files.O_TRUNC)) !== 0;
    const failed = writes ? this.#store.dropCapability(at, this.#found) : 0;
    return failed < 0 ? failed : this.#parts.descriptors.open(at, flags);
  }

  /** Creates a file, or opens the one that is there; only a new one gets the attributes of the request. */
  #create(at: Uint8Array, { flags, mode, uid, gid }: Request<'create'>): number {
    for (let attempt = 0; ; attempt++) {
      const created = this.#parts.descriptors.create(at, flags | files.O_EXCL, this.#parts.fileMode);
      if (created >= 0) {
        this.#wanted.set(uid, gid, S_IFREG | (mode & PERMISSIONS));
        return this.#recorded(at, created);
      }
      if (created !== -errno.EEXIST || (flags & files.O_EXCL) !== 0) return created;
      const opened = this.#openable(at);
      if (opened === 0 && (this.#status.mode & S_IFMT) === S_IFDIR) return -errno.EISDIR;
      const descriptor = opened < 0 ? opened : this.#openFound(at, flags);
      if (descriptor !== -errno.ENOENT || attempt === RACE_ATTEMPTS) return descriptor;
    }
  }

  /** Makes a regular file that is what `#wanted` says, with the content that goes with it. */
  #makeFile(path: ByteSpan, content: Pointer | undefined, length: number): number {
    const at = this.#paths.resolveName(path);
    if (typeof at === 'number') return at;
    const flags = files.O_CREAT | files.O_EXCL | files.O_WRONLY;
    const created = this.#parts.descriptors.create(at, flags, this.#parts.fileMode);
    if (created < 0) return this.#paths.done(created);
    const written = content === undefined ? 0 : write(created, content, length);
    if (written !== length) {
      files.close(created);
      files.unlink(at);
      return this.#paths.done(written < 0 ? written : -errno.ENOSPC);
    }
    const recorded = this.#recorded(at, created);
    if (recorded >= 0) files.close(recorded);
    return this.#paths.done(Math.min(recorded, 0));
  }

  /** Records what is wanted of a new file, or removes it again. @returns its descriptor or -errno */
  #recorded(at: Uint8Array, descriptor: number): number {
    const failed = this.#store.record(at, this.#wanted);
    if (failed >= 0) return descriptor;
    files.close(descriptor);
    files.unlink(at);
    return failed;
  }

  #readlink(at: Uint8Array, target: Destination, size: number): number {
    const failed = this.#look(at, this.#status);
    if (failed < 0) return failed;
    if ((this.#status.mode & S_IFMT) !== S_IFLNK) return -errno.EINVAL;
    const descriptor = this.#parts.descriptors.open(at, 0);
    // a real link of the host, which is ELOOP in QEMU's `local`
    if (descriptor === -errno.ELOOP && this.#parts.hostSymlinks)
      return files.readlink(at, target.address, size);
    if (descriptor < 0) return descriptor;
    const length = files.read(descriptor, target.address, size);
    this.#parts.descriptors.close(descriptor);
    return length > 0 && target.bytes.subarray(0, length).includes(0) ? -errno.EINVAL : length;
  }
}
