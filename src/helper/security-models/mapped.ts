import type { ByteResolver, PathResolver } from '../paths/path-resolver.js';
import type { Request } from '../../proxy-protocol/decoder.js';
import type { ByteSpan } from '../../proxy-protocol/frame.js';
import * as errno from '../../abi/errno.js';
import * as files from '../../syscalls/files.js';
import type { Destination, Pointer } from '../../syscalls/libc.js';
import { write } from '../../syscalls/process.js';
import { type FileStatus, type FileSystemStatus, fstatfs } from '../../syscalls/status.js';
import type { AttributeStore } from './attribute-store.js';
import type { GenerationReader } from './generation-reader.js';
import { GuestAttributes, NOT_RECORDED } from './guest-attributes.js';
import { MappedObject, type ObjectParts } from './mapped-object.js';
import type { SecurityModel, XattrModel } from './security-model.js';
import { Times } from './times.js';

const { PERMISSIONS, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } = files;

/** The longest target of a symbolic link, without its NUL: symlink(2). */
const MAX_TARGET_BYTES = 4095;
/** How often a name that vanishes and comes back between two calls is tried again. */
const RACE_ATTEMPTS = 10;

/** What the parts of a mapped model are. */
export interface MappedParts extends ObjectParts {
  /** Resolves what takes nothing that is recorded: `paths`, but for descriptors. */
  readonly objects: PathResolver;
  readonly generations: GenerationReader;
  readonly xattrs: XattrModel;
  /** Modes on the host of what is made. */
  readonly fileMode: number;
  readonly directoryMode: number;
}

/**
 * The guest's owners, modes and special files are only recorded. On the host everything belongs to this process and is
 * a directory or a regular file: a symbolic link is a file with the target in it. Nothing of it takes a privilege.
 */
export class Mapped implements SecurityModel {
  private readonly parts: MappedParts;
  private readonly paths: ByteResolver;
  private readonly objects: PathResolver;
  private readonly object: MappedObject;
  private readonly store: AttributeStore;
  readonly #wanted = new GuestAttributes();
  readonly #times = new Times();

  constructor(parts: MappedParts) {
    this.parts = parts;
    this.paths = parts.paths;
    this.objects = parts.objects;
    this.object = new MappedObject(parts);
    this.store = parts.store;
  }

  open({ path, flags }: Request<'open'>): number {
    const at = this.paths.resolveToOpen(path);
    if (typeof at === 'number') return at;
    return this.object.open(at, flags);
  }

  create(request: Request<'create'>): number {
    if ((request.flags & files.O_CREAT) === 0) return this.open(request);
    const at = this.paths.resolveName(request.path);
    if (typeof at === 'number') return at;
    return this.#create(at, request);
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
    return this.#makeFile(path, this.paths.string(target), target.length);
  }

  mkdir({ path, mode, uid, gid }: Request<'mkdir'>): number {
    const at = this.paths.resolveName(path);
    if (typeof at === 'number') return at;
    this.#wanted.set(uid, gid, S_IFDIR | (mode & PERMISSIONS));
    return this.#mkdir(at);
  }

  link({ existing, path }: Request<'link'>): number {
    const from = this.paths.resolveOld(existing);
    if (typeof from === 'number') return from;
    const to = this.paths.resolveName(path);
    if (typeof to === 'number') return to;
    return this.store.link(this.paths.oldDirectory, from, to);
  }

  rename({ existing, path }: Request<'rename'>): number {
    const from = this.paths.resolveOld(existing);
    if (typeof from === 'number') return from;
    const to = this.paths.resolveName(path);
    if (typeof to === 'number') return to;
    return this.store.rename(this.paths.oldDirectory, from, to);
  }

  remove({ path }: Request<'remove'>): number {
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    return this.store.remove(at);
  }

  lstat({ path }: Request<'lstat'>, status: FileStatus): number {
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    return this.object.look(at, status);
  }

  readlink({ path }: Request<'readlink'>, target: Destination, size: number): number {
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    return this.#readlink(at, target, size);
  }

  statfs({ path }: Request<'statfs'>, status: FileSystemStatus): number {
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    const located = this.paths.open(at, files.O_PATH, 0);
    return located < 0 ? located : fstatfs(this.parts.scope.hold(located), status);
  }

  generation({ path }: Request<'getversion'>, generation: Int32Array, index: number): number {
    const at = this.objects.resolve(path);
    if (typeof at === 'number') return at;
    return this.parts.generations.read(at, generation, index);
  }

  chmod({ path, mode }: Request<'chmod'>): number {
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    const failed = this.object.look(at);
    return failed < 0 ? failed : this.#chmod(at, mode);
  }

  #chmod(at: Uint8Array, mode: number): number {
    const { type } = this.object;
    // as chmod(2), which never changes a link
    if (type === S_IFLNK) return -errno.EOPNOTSUPP;
    this.#wanted.set(NOT_RECORDED, NOT_RECORDED, type | (mode & PERMISSIONS));
    return this.object.change(at, this.#wanted);
  }

  chown({ path, uid, gid }: Request<'chown'>): number {
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    const failed = this.object.look(at);
    return failed < 0 ? failed : this.#chown(at, uid, gid);
  }

  #chown(at: Uint8Array, uid: number, gid: number): number {
    this.#wanted.setOwner(uid, gid, this.object.mode);
    return this.object.change(at, this.#wanted);
  }

  truncate({ path, length }: Request<'truncate'>): number {
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    const descriptor = length < 0 ? -errno.EINVAL : this.object.open(at, files.O_WRONLY);
    // what truncate(2) says of special files
    if (descriptor < 0) return descriptor === -errno.ENXIO ? -errno.EINVAL : descriptor;
    return files.ftruncate(this.parts.scope.hold(descriptor), length);
  }

  utime(request: Request<'utime'>): number {
    const at = this.objects.resolve(request.path);
    if (typeof at === 'number') return at;
    return this.objects.calls.utime(at, this.#times.of(request));
  }

  getxattr(request: Request<'lgetxattr'>, value: Destination, size: number): number {
    return this.parts.xattrs.getxattr(request, value, size);
  }

  listxattr(request: Request<'llistxattr'>, list: Destination, size: number): number {
    return this.parts.xattrs.listxattr(request, list, size);
  }

  setxattr(request: Request<'lsetxattr'>): number {
    return this.parts.xattrs.setxattr(request);
  }

  removexattr(request: Request<'lremovexattr'>): number {
    return this.parts.xattrs.removexattr(request);
  }

  /** Creates a file, or opens the one that is there; only a new one gets the attributes of the request. */
  #create(at: Uint8Array, { flags, mode, uid, gid }: Request<'create'>): number {
    for (let attempt = 0; ; attempt++) {
      const prepared = this.store.prepare(at);
      if (prepared < 0) return prepared;
      const created = this.parts.descriptors.create(at, flags | files.O_EXCL, this.parts.fileMode);
      if (created >= 0) {
        this.#wanted.set(uid, gid, S_IFREG | (mode & PERMISSIONS));
        return this.#recorded(at, created);
      }
      if (created !== -errno.EEXIST || (flags & files.O_EXCL) !== 0) return created;
      const opened = this.object.openFile(at, flags);
      if (opened !== -errno.ENOENT || attempt === RACE_ATTEMPTS) return opened;
    }
  }

  #mkdir(at: Uint8Array): number {
    const prepared = this.store.prepare(at);
    const made = prepared < 0 ? prepared : files.mkdir(at, this.parts.directoryMode);
    if (made < 0) return made;
    const opened = this.paths.open(at, files.O_DIRECTORY | files.O_NOFOLLOW, 0);
    const failed = opened < 0 ? opened : this.store.record(opened, at, this.#wanted);
    if (opened >= 0) files.close(opened);
    if (failed < 0) files.rmdir(at);
    return failed;
  }

  /** Makes a regular file that is what `#wanted` says, with the content that goes with it. */
  #makeFile(path: ByteSpan, content: Pointer | undefined, length: number): number {
    const at = this.paths.resolveName(path);
    if (typeof at === 'number') return at;
    const prepared = this.store.prepare(at);
    if (prepared < 0) return prepared;
    const flags = files.O_CREAT | files.O_EXCL | files.O_WRONLY;
    const created = this.parts.descriptors.create(at, flags, this.parts.fileMode);
    if (created < 0) return created;
    const written = content === undefined ? 0 : write(created, content, length);
    if (written !== length) {
      files.close(created);
      files.unlink(at);
      return written < 0 ? written : -errno.ENOSPC;
    }
    const recorded = this.#recorded(at, created);
    if (recorded >= 0) files.close(recorded);
    return Math.min(recorded, 0);
  }

  /** Records what is wanted of a new file, or removes it again. @returns its descriptor or -errno */
  #recorded(at: Uint8Array, descriptor: number): number {
    const failed = this.store.record(descriptor, at, this.#wanted);
    if (failed >= 0) return descriptor;
    files.close(descriptor);
    files.unlink(at);
    return failed;
  }

  #readlink(at: Uint8Array, target: Destination, size: number): number {
    const length = this.object.readlink(at, target.address, size);
    return length > 0 && target.bytes.subarray(0, length).includes(0) ? -errno.EINVAL : length;
  }
}
