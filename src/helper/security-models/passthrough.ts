import type { GuestCredentials } from '../credentials/guest-credentials.js';
import type { PathResolver } from '../paths/path-resolver.js';
import type { Request } from '../../proxy-protocol/decoder.js';
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

/** What passthrough works with. */
export interface PassthroughParts {
  readonly paths: PathResolver;
  readonly credentials: GuestCredentials;
  readonly descriptors: DescriptorOpener;
  readonly generations: GenerationReader;
}

/** The guest's owners, modes and special files are the host's. */
export class Passthrough implements SecurityModel {
  readonly #paths: PathResolver;
  readonly #credentials: GuestCredentials;
  readonly #descriptors: DescriptorOpener;
  readonly #generations: GenerationReader;
  readonly #times = new Times();
  readonly #leaseLimit = new TimeLimit(LEASE_MS);

  constructor({ paths, credentials, descriptors, generations }: PassthroughParts) {
    this.#paths = paths;
    this.#credentials = credentials;
    this.#descriptors = descriptors;
    this.#generations = generations;
  }

  open({ path, flags }: Request<'open'>): number {
    const at = this.#paths.resolveToOpen(path);
    if (typeof at === 'number') return at;
    return this.#descriptors.open(at, flags);
  }

  readonly #create = (path: Pointer, flags: number, mode: number): number =>
    this.#descriptors.create(path, flags, mode);

  create({ path, flags, mode, uid, gid }: Request<'create'>): number {
    const at = this.#paths.resolveToOpen(path);
    if (typeof at === 'number') return at;
    return this.#credentials.run(uid, gid, this.#create, at, flags, mode);
  }

  mknod({ path, mode, device, uid, gid }: Request<'mknod'>): number {
    const at = this.#paths.resolveName(path);
    if (typeof at === 'number') return at;
    return this.#credentials.run(uid, gid, files.mknod, at, mode, device);
  }

  mkdir({ path, mode, uid, gid }: Request<'mkdir'>): number {
    const at = this.#paths.resolveName(path, true);
    if (typeof at === 'number') return at;
    return this.#credentials.run(uid, gid, files.mkdir, at, mode, undefined);
  }

  symlink({ target, path, uid, gid }: Request<'symlink'>): number {
    const at = this.#paths.resolveName(path);
    if (typeof at === 'number') return at;
    const to = this.#paths.string(target);
    return this.#credentials.run(uid, gid, files.symlink, to, at, undefined);
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
    const from = this.#paths.resolveOld(existing);
    if (typeof from === 'number') return from;
    const to = this.#paths.resolveName(path);
    if (typeof to === 'number') return to;
    return call(this.#paths.oldDirectory, from, to);
  }

  remove({ path }: Request<'remove'>): number {
    const at = this.#paths.resolveName(path);
    if (typeof at === 'number') return at;
    return files.remove(at);
  }

  lstat({ path }: Request<'lstat'>, status: FileStatus): number {
    const at = this.#paths.resolve(path);
    if (typeof at === 'number') return at;
    return this.#paths.calls.status(at, status);
  }

  readlink({ path }: Request<'readlink'>, target: Destination, size: number): number {
    const at = this.#paths.resolve(path);
    if (typeof at === 'number') return at;
    return files.readlink(at, target.address, size);
  }

  statfs({ path }: Request<'statfs'>, status: FileSystemStatus): number {
    const at = this.#paths.resolveFollowing(path);
    if (typeof at === 'number') return at;
    return statfs(at, status);
  }

  generation({ path }: Request<'getversion'>, generation: Int32Array, index: number): number {
    const at = this.#paths.resolveFollowing(path);
    if (typeof at === 'number') return at;
    return this.#generations.read(at, generation, index);
  }

  chmod({ path, mode }: Request<'chmod'>): number {
    const at = this.#paths.resolveFollowing(path);
    if (typeof at === 'number') return at;
    return files.chmod(at, mode);
  }

  chown({ path, uid, gid }: Request<'chown'>): number {
    const at = this.#paths.resolve(path);
    if (typeof at === 'number') return at;
    return this.#paths.calls.chown(at, uid, gid);
  }

  truncate({ path, length }: Request<'truncate'>): number {
    const at = this.#paths.resolveFollowing(path);
    if (typeof at === 'number') return at;
    this.#leaseLimit.begin();
    const result = files.truncate(at, length);
    this.#leaseLimit.end();
    return result === -errno.EINTR ? this.#truncateOpened(path, length) : result;
  }

  /** Never waits, but opens the file: it tells a lease from a file system that is slow, or that signals interrupt. */
  #truncateOpened(path: Request<'truncate'>['path'], length: Request<'truncate'>['length']): number {
    const at = this.#paths.resolveToOpen(path);
    if (typeof at === 'number') return at;
    return this.#descriptors.truncate(at, length);
  }

  utime(request: Request<'utime'>): number {
    const at = this.#paths.resolve(request.path);
    if (typeof at === 'number') return at;
    return this.#paths.calls.utime(at, this.#times.of(request));
  }

  getxattr({ path, name }: Request<'lgetxattr'>, value: Destination, size: number): number {
    const at = this.#paths.resolve(path);
    if (typeof at === 'number') return at;
    return this.#paths.calls.getxattr(at, this.#paths.string(name), value.address, size);
  }

  listxattr({ path }: Request<'llistxattr'>, list: Destination, size: number): number {
    const at = this.#paths.resolve(path);
    if (typeof at === 'number') return at;
    return this.#paths.calls.listxattr(at, list.address, size);
  }

  setxattr({ path, name, value, size, flags }: Request<'lsetxattr'>): number {
    // the value's own length counts; the reference reads past the end when they differ
    if (size !== value.length) return -errno.EINVAL;
    const at = this.#paths.resolve(path);
    if (typeof at === 'number') return at;
    const bytes = this.#paths.data(value);
    return this.#paths.calls.setxattr(at, this.#paths.string(name), bytes, size, flags);
  }

  removexattr({ path, name }: Request<'lremovexattr'>): number {
    const at = this.#paths.resolve(path);
    if (typeof at === 'number') return at;
    return this.#paths.calls.removexattr(at, this.#paths.string(name));
  }
}
