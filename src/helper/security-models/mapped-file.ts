import type { Request } from '../../proxy-protocol/decoder.js';
import * as errno from '../../abi/errno.js';
import { HERE } from '../paths/path-resolver.js';
import { GuestXattrs, ACL, type XattrRule } from './guest-xattrs.js';
import { Mapped, type MappedParts } from './mapped.js';
import { RecordedCapability } from './recorded-capability.js';

/** The guest's attributes are the host's, its ACLs too. As in QEMU's `local`. */
const rules: readonly XattrRule[] = [
  { guest: ACL, host: ACL },
  { guest: 'user.', host: 'user.' },
];

/** With a FileStore. */
export type MappedFileParts = Omit<MappedParts, 'xattrs'>;

/** What the guest gave to an object is kept in a file beside it. */
export function mappedFile(parts: MappedFileParts): Mapped {
  return new Mapped(withXattrs(parts));
}

/** The same for descriptors, with a RecordResolver. */
export function mappedFileOfDescriptors(parts: MappedFileParts): Mapped {
  return new PerhapsUnnamed(withXattrs(parts));
}

function withXattrs(parts: MappedFileParts): MappedParts {
  const { objects, paths, store, inode } = parts;
  return { ...parts, xattrs: new RecordedCapability(new GuestXattrs(objects, rules), paths, store, inode) };
}

/**
 * Objects that may have lost their last name, and with it all that was recorded of them: ESTALE for what takes that. Their
 * content is as good as before.
 */
class PerhapsUnnamed extends Mapped {
  readonly #descriptors: MappedParts['descriptors'];

  constructor(parts: MappedParts) {
    super(parts);
    this.#descriptors = parts.descriptors;
  }

  override open(request: Request<'open'>): number {
    const opened = super.open(request);
    return opened === -errno.ESTALE ? this.#descriptors.open(HERE, request.flags) : opened;
  }

  override truncate(request: Request<'truncate'>): number {
    const result = super.truncate(request);
    return result === -errno.ESTALE ? this.#descriptors.truncate(HERE, request.length) : result;
  }
}
