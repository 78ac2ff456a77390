import type { GuestAttributes } from './guest-attributes.js';

/**
 * Where a mapped model keeps what the guest gave to an object, and how objects are linked, moved and removed with it.
 * Names are those of a NameResolver. Every method returns 0 or -errno.
 */
export interface AttributeStore {
  /** Reads what is recorded of an object into `attributes`, which says of the rest that it is not. */
  read(name: Uint8Array, attributes: GuestAttributes): number;
  /** Reads the value of `security.capability` that is recorded. @returns its length, 0 for none, or -errno */
  readCapability(name: Uint8Array, value: Uint8Array): number;
  /** Records all of an object that was just made. */
  record(name: Uint8Array, attributes: GuestAttributes): number;
  /** Records some of an object, beside what is recorded of it. */
  change(name: Uint8Array, attributes: GuestAttributes): number;
  /** Takes the capabilities from an object, of which `found` is what `read` found. */
  dropCapability(name: Uint8Array, found: GuestAttributes): number;
  link(oldDirectory: number, oldName: Uint8Array, newName: Uint8Array): number;
  rename(oldDirectory: number, oldName: Uint8Array, newName: Uint8Array): number;
  /** Removes a file or an empty directory. */
  remove(name: Uint8Array): number;
}
