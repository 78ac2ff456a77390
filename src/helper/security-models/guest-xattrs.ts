import type { PathResolver } from '../paths/path-resolver.js';
import type { Request } from '../../proxy-protocol/decoder.js';
import type { ByteSpan } from '../../proxy-protocol/frame.js';
import * as errno from '../../abi/errno.js';
import type { Destination } from '../../syscalls/libc.js';
import { stableMemory } from '../../syscalls/memory.js';
import type { XattrModel } from './security-model.js';

/**
 * What attributes whose names begin alike are to the guest: found on the host under another beginning, or, where
 * `host` is a pair of errnos, not there. The first rule that a name fits counts; names that fit none do not exist.
 */
export interface XattrRule {
  readonly guest: string;
  readonly host: string | { readonly get: number; readonly change: number };
  /** Whether it is no error to remove one that is not there. */
  readonly removable?: boolean;
}

export const ACL = 'system.posix_acl_';

interface Beginning {
  readonly guest: Uint8Array;
  readonly host: Uint8Array;
  readonly rule: XattrRule;
}

/** The kernel's limits, xattr(7): a longer name is ERANGE, a longer list is E2BIG. */
const MAX_NAME_BYTES = 255;
const MAX_LIST_BYTES = 65_536;

/** The attributes of the host's objects that the guest sees, under the names that it knows. */
export class GuestXattrs implements XattrModel {
  private readonly paths: PathResolver;
  private readonly beginnings: readonly Beginning[];
  readonly #name = stableMemory(2 * MAX_NAME_BYTES);
  readonly #list = stableMemory(MAX_LIST_BYTES);

  constructor(paths: PathResolver, rules: readonly XattrRule[]) {
    this.paths = paths;
    const encoder = new TextEncoder();
    this.beginnings = rules.map((rule) => ({
      rule,
      guest: encoder.encode(rule.guest),
      host: encoder.encode(typeof rule.host === 'string' ? rule.host : rule.guest),
    }));
  }

  getxattr({ path, name }: Request<'lgetxattr'>, value: Destination, size: number): number {
    const beginning = this.#find(name);
    if (beginning === undefined) return -errno.EOPNOTSUPP;
    if (typeof beginning.rule.host !== 'string') return -beginning.rule.host.get;
    const hostName = this.#hostName(name, beginning);
    if (typeof hostName === 'number') return hostName;
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    return this.paths.calls.getxattr(at, hostName, value.address, size);
  }

  setxattr({ path, name, value, size, flags }: Request<'lsetxattr'>): number {
    if (size !== value.length) return -errno.EINVAL;
    const hostName = this.#changeable(name);
    if (typeof hostName === 'number') return hostName;
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    return this.paths.calls.setxattr(at, { name: hostName, value: this.paths.data(value), size, flags });
  }

  removexattr({ path, name }: Request<'lremovexattr'>): number {
    const hostName = this.#changeable(name);
    if (typeof hostName === 'number') return hostName;
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    const removed = this.paths.calls.removexattr(at, hostName);
    return removed === -errno.ENODATA && this.#find(name)?.rule.removable === true ? 0 : removed;
  }

  listxattr({ path }: Request<'llistxattr'>, list: Destination, size: number): number {
    const at = this.paths.resolve(path);
    if (typeof at === 'number') return at;
    const length = this.paths.calls.listxattr(at, this.#list, MAX_LIST_BYTES);
    if (length < 0) return length;
    const guestLength = this.#translate(length, undefined);
    if (size === 0) return guestLength;
    if (guestLength > size) return -errno.ERANGE;
    return this.#translate(length, list.bytes);
  }

  /** The host's list to the guest's. @returns the length of that; written only where there is a `list` */
  #translate(length: number, list: Uint8Array | undefined): number {
    let written = 0;
    for (let start = 0; start < length; start = this.#list.indexOf(0, start) + 1) {
      const beginning = this.beginnings.find(({ host }) => this.#listHas(host, start));
      if (beginning === undefined || typeof beginning.rule.host !== 'string') continue;
      const { guest, host } = beginning;
      const end = this.#list.indexOf(0, start) + 1;
      if (list !== undefined) {
        list.set(guest, written);
        list.set(this.#list.subarray(start + host.length, end), written + guest.length);
      }
      written += guest.length + end - start - host.length;
    }
    return written;
  }

  #listHas(beginning: Uint8Array, start: number): boolean {
    return beginning.every((byte, index) => this.#list[start + index] === byte);
  }

  #find({ frame, start, length }: ByteSpan): Beginning | undefined {
    return this.beginnings.find(
      ({ guest }) => guest.length <= length && guest.every((byte, index) => frame[start + index] === byte),
    );
  }

  #changeable(name: ByteSpan): Uint8Array | number {
    const beginning = this.#find(name);
    if (beginning === undefined) return -errno.EOPNOTSUPP;
    const { host } = beginning.rule;
    return typeof host === 'string' ? this.#hostName(name, beginning) : -host.change;
  }

  #hostName({ frame, start, length }: ByteSpan, { guest, host }: Beginning): Uint8Array | number {
    if (length > MAX_NAME_BYTES) return -errno.ERANGE;
    this.#name.set(host);
    this.#name.set(frame.subarray(start + guest.length, start + length), host.length);
    this.#name[host.length + length - guest.length] = 0;
    return this.#name;
  }
}
