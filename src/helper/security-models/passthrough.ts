import type { GuestCredentials, Owner } from '../credentials/guest-credentials.js';
import type { PathResolver } from '../paths/path-resolver.js';
import type { Request } from '../../proxy-protocol/decoder.js';
import type { RequestName } from '../../proxy-protocol/requests.js';
import * as errno from '../../abi/errno.js';
import * as files from '../../syscalls/files.js';
import type { Destination, Pointer } from '../../syscalls/libc.js';
import { type FileStatus, type FileSystemStatus, statfs } from '../../syscalls/status.js';
import { TimeLimit } from '../../syscalls/time-limit.js';
import type { DescriptorOpener } from './descriptor-opener.js';
import type { GenerationReader } from './generation-reader.js';
import type { SecurityModel } from './security-model.js';
import { Times } from './times.js';

/** How long truncating may wait for the holder of a lease, milliseconds; afterwards the guest gets EAGAIN. */
const LEASE_MS = 5;

const mknod = (path: Pointer, { mode, device }: Request<'mknod'>): number => files.mknod(path, mode, device);

/** What passthrough works with. */
export interface PassthroughParts {
  readonly paths: PathResolver;
  readonly credentials: GuestCredentials;
  readonly descriptors: DescriptorOpener;
  readonly generations: GenerationReader;
}

/** The guest's owners, modes and special files are the host's. */
export class Passthrough implements SecurityModel {
  private readonly paths: PathResolver;
  private readonly credentials: GuestCredentials;
  private readonly descriptors: DescriptorOpener;
  private readonly generations: GenerationReader;
  readonly #times = new Times();
  readonly #leaseLimit = new TimeLimit(LEASE_MS);

  constructor({ paths, credentials, descriptors, generations }: PassthroughParts) {
    this.paths = paths;
    this.credentials = credentials;
    this.descriptors = descriptors;
    this.generations = generations;
  }

  open({ path, flags }: Request<'open'>): number {
    const at = this.paths.resolveToOpen(path);
    if (typeof at === 'number') return at;
    return this.descriptors.open(at, flags);
  }

  create(request: Request<'create'>): number {
    const owner = this.ownerOf('create', request);
    if (typeof owner === 'number') return owner;
    const at = this.paths.resolveToOpen(request.path);
    if (typeof at === 'number') return at;
    return this.credentials.run(owner, this.#create, at, request);
  }

  readonly #create = (path: Pointer, { flags, mode }: Request<'create'>): number =>
    this.descriptors.create(path, flags, mode);

  mknod(request: Request<'mknod'>): number {
    const owner = this.ownerOf('mknod', request);
    if (typeof owner === 'number') return owner;
    const at = this.paths.resolveName(request.path);
    if (typeof at === 'number') return at;
    return this.credentials.run(owner, mknod, at, request);
  }

  mkdir(request: Request<'mkdir'>): number {
    const owner = this.ownerOf('mkdir', request);
    if (typeof owner === 'number') return owner;
    const at = this.paths.resolveName(request.path, true);
    if (typeof at === 'number') return at;
    return this.credentials.run(owner, files.mkdir, at, request.mode);
  }

  symlink(request: Request<'symlink'>): number {
    const owner = this.ownerOf('symlink', request);
    if (typeof owner === 'number') return owner;
    const at = this.paths.resolveName(request.path);
    if (typeof at === 'number') return at;
    return this.credentials.run(owner, files.symlink, this.paths.string(request.target), at);
  }

  /** The owner on the host of what a request makes, or -errno. */
  protected ownerOf(_name: RequestName, request: Owner): Owner | number {
    return request;
  }

  link({ existing, path }: Request<'link'>): number {
    return this.#twoPaths(existing, path, files.linkat);
  }

  rename({ existing, path }: Request<'rename'>): number {
    return this.#twoPaths(existing, path, files.renameat);
  }

  #twoPaths(
    existing: Request<'rename'>['existing'],
    path: Request<'rename'>['path'],
    call: (oldDirectory: number, oldPath: Pointer, newPath: Pointer) => number,
  ): number {
    const from = this.paths.resolveOld(existing);
    if (typeof from === 'number') return from;
    const to = this.paths.resolveName(path);
    if (typeof to === 'number') return to;
    return call(this.paths.oldDirectory, from, to);
  }

  remove({ path }: Request<'remove'>): number {
    const at = this.paths.resolveName(path);
    if (typeof at === 'number') return at;
    return files.remove(at);
  }

  lstat({ path }: Request<'lstat'>, status: FileStatus): number {
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    return this.paths.calls.status(at, status);
  }

  readlink({ path }: Request<'readlink'>, target: Destination, size: number): number {
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    return files.readlink(at, target.address, size);
  }

  statfs({ path }: Request<'statfs'>, status: FileSystemStatus): number {
    const at = this.paths.resolveFollowing(path);
    if (typeof at === 'number') return at;
    return statfs(at, status);
  }

  generation({ path }: Request<'getversion'>, generation: Int32Array, index: number): number {
    const at = this.paths.resolveFollowing(path);
    if (typeof at === 'number') return at;
    return this.generations.read(at, generation, index);
  }

  chmod({ path, mode }: Request<'chmod'>): number {
    const at = this.paths.resolveFollowing(path);
    if (typeof at === 'number') return at;
    return files.chmod(at, mode);
  }

  chown({ path, uid, gid }: Request<'chown'>): number {
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    return this.paths.calls.chown(at, uid, gid);
  }

  truncate({ path, length }: Request<'truncate'>): number {
    const at = this.paths.resolveFollowing(path);
    if (typeof at === 'number') return at;
    this.#leaseLimit.begin();
    const result = files.truncate(at, length);
    this.#leaseLimit.end();
    return result === -errno.EINTR ? this.#truncateOpened(path, length) : result;
  }

  /** Never waits, but opens the file: it tells a lease from a file system that is slow, or that signals interrupt. */
  #truncateOpened(path: Request<'truncate'>['path'], length: Request<'truncate'>['length']): number {
    const at = this.paths.resolveToOpen(path);
    if (typeof at === 'number') return at;
    return this.descriptors.truncate(at, length);
  }

  utime(request: Request<'utime'>): number {
    const at = this.paths.resolve(request.path);
    if (typeof at === 'number') return at;
    return this.paths.calls.utime(at, this.#times.of(request));
  }

  getxattr({ path, name }: Request<'lgetxattr'>, value: Destination, size: number): number {
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    return this.paths.calls.getxattr(at, this.paths.string(name), value.address, size);
  }

  listxattr({ path }: Request<'llistxattr'>, list: Destination, size: number): number {
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    return this.paths.calls.listxattr(at, list.address, size);
  }

  setxattr({ path, name, value, size, flags }: Request<'lsetxattr'>): number {
    // the value's own length counts; the reference reads past the end when they differ
    if (size !== value.length) return -errno.EINVAL;
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    const attribute = { name: this.paths.string(name), value: this.paths.data(value), size, flags };
    return this.paths.calls.setxattr(at, attribute);
  }

  removexattr({ path, name }: Request<'lremovexattr'>): number {
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    return this.paths.calls.removexattr(at, this.paths.string(name));
  }
}
