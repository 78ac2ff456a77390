import * as errno from '../../abi/errno.js';
import { ACL, GuestXattrs, type XattrRule } from './guest-xattrs.js';
import { Mapped, type MappedParts } from './mapped.js';
import { RecordedCapability } from './recorded-capability.js';
import { RESERVED, XattrStore } from './xattr-store.js';

/** The guest's ACLs are only recorded, too; what is recorded is hidden from it. As in QEMU's `local`. */
const rules: readonly XattrRule[] = [
  { guest: ACL, host: `${RESERVED}${ACL}`, removable: true },
  { guest: RESERVED, host: { get: errno.ENODATA, change: errno.EACCES } },
  { guest: 'user.', host: 'user.' },
];

/** What the guest gave to an object is kept in extended attributes of it. */
export function mappedXattr(parts: Omit<MappedParts, 'store' | 'xattrs'>): Mapped {
  const { objects, paths, inode } = parts;
  const store = new XattrStore();
  const xattrs = new RecordedCapability(new GuestXattrs(objects, rules), paths, store, inode);
  return new Mapped({ ...parts, store, xattrs });
}
