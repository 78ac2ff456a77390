import * as errno from '../../abi/errno.js';
import { type IdMap, UNMAPPED } from './id-map.js';

/**
 * The value of `security.capability`: a word of revision and flags, two pairs of sets, and in revision 3 the uid of the
 * root for whose user namespace they count; in older ones it is 0. Little-endian. Source: capabilities(7),
 * `struct vfs_ns_cap_data` of `<linux/capability.h>`.
 */
export const CAPABILITY_BYTES = 24;
const REVISION_2_BYTES = 20;
const ROOT_AT = 20;
const REVISION_MASK = 0xff00_0000;
const REVISION_2 = 0x0200_0000;
const REVISION_3 = 0x0300_0000;

/** Whether the kernel takes such a value: one of these two revisions, with the length that belongs to it. */
export function isCapability(bytes: Uint8Array): boolean {
  const revision = (bytes[3] ?? 0) << 24;
  return (
    (revision === REVISION_2 && bytes.length === REVISION_2_BYTES) ||
    (revision === REVISION_3 && bytes.length === CAPABILITY_BYTES)
  );
}

/**
 * Turns what the guest gives to a file into capabilities of one of its own roots, which count on the host only in a user
 * namespace with that root.
 *
 * @param value as `isCapability` demands
 * @param bytes room for CAPABILITY_BYTES, which the result has
 * @returns the guest's root where it has no id on the host, else undefined
 */
export function giveCapability(value: Uint8Array, bytes: Uint8Array, uids: IdMap): number | undefined {
  bytes.fill(0);
  bytes.set(value);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const root = view.getUint32(ROOT_AT, true);
  const host = uids.toHost(root);
  if (host === UNMAPPED) return root;
  view.setUint32(0, (view.getUint32(0, true) & ~REVISION_MASK) | REVISION_3, true);
  view.setUint32(ROOT_AT, host, true);
  return undefined;
}

/**
 * Turns a file's capabilities into what the guest may know of them: those of its own root are revision 2, those of
 * another of its users are revision 3, and there are none of anybody else's. The kernel does the same for a user
 * namespace, but for the error: capabilities(7).
 *
 * @param bytes room for CAPABILITY_BYTES
 * @returns the new length, or -ENODATA
 */
export function translateCapability(bytes: Uint8Array, length: number, uids: IdMap): number {
  if (length < REVISION_2_BYTES) return -errno.ENODATA;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const root = uids.toGuest(length === CAPABILITY_BYTES ? view.getUint32(ROOT_AT, true) : 0);
  if (root === UNMAPPED) return -errno.ENODATA;
  const flags = view.getUint32(0, true) & ~REVISION_MASK;
  view.setUint32(0, flags | (root === 0 ? REVISION_2 : REVISION_3), true);
  view.setUint32(ROOT_AT, root, true);
  return root === 0 ? REVISION_2_BYTES : CAPABILITY_BYTES;
}
