import * as errno from '../syscalls/errno.js';
import { linkat, remove, renameat, S_IFBLK, S_IFCHR, S_IFMT } from '../syscalls/files.js';
import { cString, setInt64, stableMemory } from '../syscalls/memory.js';
import { lgetxattr, lremovexattr, lsetxattr } from '../syscalls/xattrs.js';
import type { AttributeStore } from './attribute-store.js';
import { CAPABILITY_BYTES } from './file-capability.js';
import { type GuestAttributes, NOT_RECORDED } from './guest-attributes.js';

/** The attributes of QEMU's `local` driver: values are little-endian, of 32 bits but for the device number of 64. */
export const RESERVED = 'user.virtfs.';
const UID = cString(`${RESERVED}uid`);
const GID = cString(`${RESERVED}gid`);
const MODE = cString(`${RESERVED}mode`);
const CAPABILITY = cString(`${RESERVED}security.capability`);
const DEVICE = cString(`${RESERVED}rdev`);

/**
 * What it means that one of them cannot be read: not there; impossible on this file system, or of this length; not
 * allowed, as of any attribute of a file that this process may not read. The object then is as on the host.
 */
const unrecorded = new Set(
  [errno.ENODATA, errno.EOPNOTSUPP, errno.ERANGE, errno.EACCES].map((code) => -code),
);

/** Keeps the guest's attributes in extended attributes of the object itself, with which they are linked and moved. */
export class XattrStore implements AttributeStore {
  readonly #value = stableMemory(CAPABILITY_BYTES);
  readonly #view = new DataView(this.#value.buffer);

  readonly link = linkat;
  readonly rename = renameat;
  readonly remove = remove;

  read(name: Uint8Array, attributes: GuestAttributes): number {
    attributes.clear();
    const failed = this.#get(name, UID, 4);
    if (failed < 0) return failed;
    if (failed === 4) attributes.uid = this.#view.getUint32(0, true);
    if (this.#get(name, GID, 4) === 4) attributes.gid = this.#view.getUint32(0, true);
    if (this.#get(name, MODE, 4) !== 4) return 0;
    const mode = this.#view.getUint32(0, true);
    attributes.mode = mode;
    const type = mode & S_IFMT;
    if ((type === S_IFCHR || type === S_IFBLK) && this.#get(name, DEVICE, 8) === 8) {
      attributes.device = this.#view.getBigUint64(0, true);
    }
    return 0;
  }

  readCapability(name: Uint8Array, value: Uint8Array): number {
    const length = this.#get(name, CAPABILITY, CAPABILITY_BYTES);
    if (length > 0) value.set(this.#value.subarray(0, length));
    return length;
  }

  record(name: Uint8Array, attributes: GuestAttributes): number {
    return this.change(name, attributes);
  }

  /** The mode last: an object of which only a part is recorded is an ordinary file still. */
  change(name: Uint8Array, { uid, gid, mode, device, capability }: GuestAttributes): number {
    let result = capability === undefined ? 0 : this.#setCapability(name, capability);
    if (result >= 0) result = this.#setWord(name, UID, uid);
    if (result >= 0) result = this.#setWord(name, GID, gid);
    if (result >= 0 && device !== undefined) {
      setInt64(this.#view, 0, device);
      result = lsetxattr(name, DEVICE, this.#value, 8, 0);
    }
    return result < 0 ? result : this.#setWord(name, MODE, mode);
  }

  dropCapability(name: Uint8Array): number {
    const removed = lremovexattr(name, CAPABILITY);
    return unrecorded.has(removed) ? 0 : removed;
  }

  /** @returns the length of the value, 0 when there is none, or -errno */
  #get(name: Uint8Array, attribute: Uint8Array, size: number): number {
    const length = lgetxattr(name, attribute, this.#value, size);
    return unrecorded.has(length) ? 0 : length;
  }

  #setCapability(name: Uint8Array, capability: Uint8Array): number {
    if (capability.length === 0) return this.dropCapability(name);
    this.#value.set(capability);
    return lsetxattr(name, CAPABILITY, this.#value, capability.length, 0);
  }

  #setWord(name: Uint8Array, attribute: Uint8Array, word: number): number {
    if (word === NOT_RECORDED) return 0;
    this.#view.setUint32(0, word, true);
    return lsetxattr(name, attribute, this.#value, 4, 0);
  }
}
