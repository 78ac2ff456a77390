import type { ByteResolver } from '../paths/path-resolver.js';
import type { Request } from '../../proxy-protocol/decoder.js';
import type { ByteSpan } from '../../proxy-protocol/frame.js';
import * as errno from '../../abi/errno.js';
import { O_NOFOLLOW } from '../../syscalls/files.js';
import type { Destination } from '../../syscalls/libc.js';
import type { AttributeStore } from './attribute-store.js';
import { CAPABILITY_BYTES, isCapability } from './file-capability.js';
import { GuestAttributes, NO_CAPABILITY } from './guest-attributes.js';
import type { Inode } from './inode.js';
import type { XattrModel } from './security-model.js';

const NAME = Buffer.from('security.capability');

/** Flags of setxattr(2). */
const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;

/**
 * The file capabilities that the guest gave, which are only recorded, as owners and modes are: on the host the file has
 * none. All other attributes are those of another model.
 */
export class RecordedCapability implements XattrModel {
  private readonly others: XattrModel;
  private readonly paths: ByteResolver;
  private readonly store: AttributeStore;
  private readonly inode: Inode;
  readonly #recorded = new GuestAttributes();
  readonly #wanted = new GuestAttributes();
  readonly #found = new Uint8Array(CAPABILITY_BYTES);

  constructor(others: XattrModel, paths: ByteResolver, store: AttributeStore, inode: Inode) {
    this.others = others;
    this.paths = paths;
    this.store = store;
    this.inode = inode;
  }

  getxattr(request: Request<'lgetxattr'>, value: Destination, size: number): number {
    if (!isName(request.name)) return this.others.getxattr(request, value, size);
    const length = this.#read(request.path);
    if (length === 0) return -errno.ENODATA;
    if (length < 0 || size === 0) return length;
    if (length > size) return -errno.ERANGE;
    value.bytes.set(this.#found.subarray(0, length));
    return length;
  }

  listxattr(request: Request<'llistxattr'>, list: Destination, size: number): number {
    const length = this.others.listxattr(request, list, size);
    if (length < 0) return length;
    const recorded = this.#read(request.path);
    if (recorded <= 0) return recorded < 0 ? recorded : length;
    const whole = length + NAME.length + 1;
    if (size === 0) return whole;
    if (whole > size) return -errno.ERANGE;
    list.bytes.set(NAME, length);
    list.bytes[whole - 1] = 0;
    return whole;
  }

  setxattr(request: Request<'lsetxattr'>): number {
    const { path, name, value, size, flags } = request;
    if (!isName(name)) return this.others.setxattr(request);
    if (size !== value.length || (flags & ~(XATTR_CREATE | XATTR_REPLACE)) !== 0) return -errno.EINVAL;
    const bytes = value.frame.slice(value.start, value.start + value.length);
    if (!isCapability(bytes)) return -errno.EINVAL;
    const recorded = this.#read(path);
    if (recorded < 0) return recorded;
    if (recorded > 0 && (flags & XATTR_CREATE) !== 0) return -errno.EEXIST;
    if (recorded === 0 && (flags & XATTR_REPLACE) !== 0) return -errno.ENODATA;
    return this.#record(path, bytes);
  }

  removexattr(request: Request<'lremovexattr'>): number {
    if (!isName(request.name)) return this.others.removexattr(request);
    const recorded = this.#read(request.path);
    if (recorded <= 0) return recorded < 0 ? recorded : -errno.ENODATA;
    return this.#record(request.path, NO_CAPABILITY);
  }

  /** @returns the length of what is recorded, 0 for nothing, or -errno */
  #read(path: ByteSpan): number {
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    const failed = this.inode.hold(at, O_NOFOLLOW);
    return failed < 0 ? failed : this.store.readCapability(this.inode, at, this.#found);
  }

  #record(path: ByteSpan, capability: Uint8Array): number {
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    this.#wanted.clear();
    this.#wanted.capability = capability;
    const failed = this.inode.hold(at, O_NOFOLLOW);
    return failed < 0 ? failed : this.store.change(this.inode, at, this.#wanted, this.#recorded);
  }
}

function isName({ frame, start, length }: ByteSpan): boolean {
  return length === NAME.length && NAME.every((byte, at) => byte === frame[start + at]);
}
