import type { NameResolver } from '../paths/name-resolver.js';
import { FileStore } from './file-store.js';
import { ACL, GuestXattrs, type XattrRule } from './guest-xattrs.js';
import { Mapped, type MappedParts } from './mapped.js';
import { RecordedCapability } from './recorded-capability.js';

/** The guest's attributes are the host's, its ACLs too. As in QEMU's `local`. */
const rules: readonly XattrRule[] = [
  { guest: ACL, host: ACL },
  { guest: 'user.', host: 'user.' },
];

/** What the guest gave to an object is kept in a file beside it. @param root as of LinkIndex */
export function mappedFile(
  paths: NameResolver,
  parts: Omit<MappedParts, 'paths' | 'store' | 'xattrs'>,
  root: number | undefined,
): Mapped {
  const store = new FileStore(parts.descriptors, root);
  const xattrs = new RecordedCapability(new GuestXattrs(paths, rules), paths, store, parts.inode);
  return new Mapped({ ...parts, paths, store, xattrs });
}
