import * as errno from '../../abi/errno.js';
import { UNMAPPED } from './id-map.js';

/**
 * The value of `system.posix_acl_access` and `system.posix_acl_default`: a version, then entries of a tag (16 bits),
 * permissions (16 bits) and an id (32 bits), all little-endian. Source: `<linux/posix_acl_xattr.h>`, acl(5).
 */
const VERSION = 2;
const HEADER_BYTES = 4;
const ENTRY_BYTES = 8;
const ACL_USER = 0x02;
const ACL_GROUP = 0x08;

/** @returns the id to take the place of the one in an entry, or UNMAPPED */
type Translation = (id: number) => number;

/**
 * Replaces the ids in the entries of named users and groups; no other entry has one.
 *
 * @returns 0, -EINVAL for what is no such value, or -EPERM for an id that is UNMAPPED
 */
export function translateAcl(bytes: Uint8Array, users: Translation, groups: Translation): number {
  const { length } = bytes;
  if (length < HEADER_BYTES || (length - HEADER_BYTES) % ENTRY_BYTES !== 0) return -errno.EINVAL;
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  if (view.getUint32(0, true) !== VERSION) return -errno.EINVAL;
  for (let entry = HEADER_BYTES; entry < length; entry += ENTRY_BYTES) {
    const tag = view.getUint16(entry, true);
    if (tag !== ACL_USER && tag !== ACL_GROUP) continue;
    const id = (tag === ACL_USER ? users : groups)(view.getUint32(entry + 4, true));
    if (id === UNMAPPED) return -errno.EPERM;
    view.setUint32(entry + 4, id, true);
  }
  return 0;
}
