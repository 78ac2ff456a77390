import type { Request } from '../../proxy-protocol/decoder.js';
import * as errno from '../../abi/errno.js';
import type { Destination } from '../../syscalls/libc.js';
import { ACL, GuestXattrs, type XattrRule } from './guest-xattrs.js';
import { Passthrough, type PassthroughParts } from './passthrough.js';

/** An ACL names ids, which mean nothing where owners are not those of the guest: as in QEMU's `local`. */
const rules: readonly XattrRule[] = [
  { guest: ACL, host: { get: errno.EOPNOTSUPP, change: errno.EOPNOTSUPP } },
  { guest: '', host: '' },
];

/** Passthrough as far as this process may; an owner that it may not give is no error. */
export class None extends Passthrough {
  readonly #xattrs: GuestXattrs;

  /** @param parts with OptionalCredentials, so that creating goes on without the guest's ids */
  constructor(parts: PassthroughParts) {
    super(parts);
    this.#xattrs = new GuestXattrs(parts.paths, rules);
  }

  override chown(request: Request<'chown'>): number {
    const changed = super.chown(request);
    // EINVAL: an id that is not mapped in this user namespace
    return changed === -errno.EPERM || changed === -errno.EINVAL ? 0 : changed;
  }

  override getxattr(request: Request<'lgetxattr'>, value: Destination, size: number): number {
    return this.#xattrs.getxattr(request, value, size);
  }

  override listxattr(request: Request<'llistxattr'>, list: Destination, size: number): number {
    return this.#xattrs.listxattr(request, list, size);
  }

  override setxattr(request: Request<'lsetxattr'>): number {
    return this.#xattrs.setxattr(request);
  }

  override removexattr(request: Request<'lremovexattr'>): number {
    return this.#xattrs.removexattr(request);
  }
}
