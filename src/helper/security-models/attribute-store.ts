import type { GuestAttributes } from './guest-attributes.js';
import type { Inode } from './inode.js';

/**
 * Where a mapped model keeps what the guest gave to an object, and how objects are linked, moved and removed with it.
 * Names are those of a NameResolver. Every method returns 0 or -errno.
 *
 * Each either happens or does not. What takes several steps is undone when one of them fails, and goes in an order in
 * which no object ever has more rights than before or afterwards, even when this process ends in between.
 */
export interface AttributeStore {
  /** Reads what is recorded of an object into `attributes`, which says of the rest that it is not. */
  read(inode: Inode, name: Uint8Array, attributes: GuestAttributes): number;
  /** Reads the value of `security.capability` that is recorded. @returns its length, 0 for none, or -errno */
  readCapability(inode: Inode, name: Uint8Array, value: Uint8Array): number;
  /** To be called before an object is made: it must not get what is left of another one of this name. */
  prepare(name: Uint8Array): number;
  /** Records all of an object that was just made. @param descriptor of it, open for more than O_PATH */
  record(descriptor: number, name: Uint8Array, attributes: GuestAttributes): number;
  /** Records some of an object, beside what was `recorded` of it. */
  change(inode: Inode, name: Uint8Array, attributes: GuestAttributes, recorded: GuestAttributes): number;
  /** Takes the capabilities from an object, of which `recorded` is what `read` found. */
  dropCapability(inode: Inode, name: Uint8Array, recorded: GuestAttributes): number;
  link(oldDirectory: number, oldName: Uint8Array, newName: Uint8Array): number;
  rename(oldDirectory: number, oldName: Uint8Array, newName: Uint8Array): number;
  /** Removes a file or an empty directory. */
  remove(name: Uint8Array): number;
}
