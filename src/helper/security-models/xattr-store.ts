import * as errno from '../../abi/errno.js';
import { linkat, remove, renameat, S_IFBLK, S_IFCHR, S_IFMT } from '../../syscalls/files.js';
import type { Pointer } from '../../syscalls/libc.js';
import { cString, setInt64, stableMemory } from '../../syscalls/memory.js';
import { fsetxattr, getxattr, removexattr, setxattr, XATTR_CREATE } from '../../syscalls/xattrs.js';
import type { AttributeStore } from './attribute-store.js';
import { CAPABILITY_BYTES } from './file-capability.js';
import { type GuestAttributes, NO_CAPABILITY, NOT_RECORDED } from './guest-attributes.js';
import type { Inode } from './inode.js';

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
  readonly #dropped = stableMemory(CAPABILITY_BYTES);
  readonly #view = new DataView(this.#value.buffer);

  readonly link = linkat;
  readonly rename = renameat;
  readonly remove = remove;

  prepare(): number {
    return 0;
  }

  read(inode: Inode, _name: Uint8Array, attributes: GuestAttributes): number {
    attributes.clear();
    const at = inode.enter();
    if (typeof at === 'number') return at;
    const failed = this.#get(at, UID, 4);
    if (failed < 0) return failed;
    if (failed === 4) attributes.uid = this.#view.getUint32(0, true);
    if (this.#get(at, GID, 4) === 4) attributes.gid = this.#view.getUint32(0, true);
    if (this.#get(at, MODE, 4) !== 4) return 0;
    const mode = this.#view.getUint32(0, true);
    attributes.mode = mode;
    const type = mode & S_IFMT;
    if ((type === S_IFCHR || type === S_IFBLK) && this.#get(at, DEVICE, 8) === 8) {
      attributes.device = this.#view.getBigUint64(0, true);
    }
    return 0;
  }

  /**
   * The mode last: an object of which only a part is recorded is an ordinary file still. An object of which anything is
   * recorded already is not the one that was made: EEXIST.
   */
  record(descriptor: number, _name: Uint8Array, { uid, gid, mode, device }: GuestAttributes): number {
    let result = this.#create(descriptor, UID, uid);
    if (result >= 0) result = this.#create(descriptor, GID, gid);
    if (result >= 0 && device !== undefined) {
      setInt64(this.#view, 0, device);
      result = this.#createValue(descriptor, DEVICE, 8);
    }
    return result < 0 ? result : this.#create(descriptor, MODE, mode);
  }

  readCapability(inode: Inode, _name: Uint8Array, value: Uint8Array): number {
    const at = inode.enter();
    if (typeof at === 'number') return at;
    const length = this.#get(at, CAPABILITY, CAPABILITY_BYTES);
    if (length > 0) value.set(this.#value.subarray(0, length));
    return length;
  }

  dropCapability(inode: Inode): number {
    const at = inode.enter();
    return typeof at === 'number' ? at : this.#setCapability(at, NO_CAPABILITY);
  }

  /** Capabilities and the mode first: a new owner gets none of the old one's, and no set-id bit, even if this process ends in between. */
  change(inode: Inode, _name: Uint8Array, wanted: GuestAttributes, recorded: GuestAttributes): number {
    const at = inode.enter();
    if (typeof at === 'number') return at;
    const { capability } = wanted;
    // what is dropped for a new owner is kept, to be given back
    const dropped = capability?.length === 0 ? getxattr(at, CAPABILITY, this.#dropped, CAPABILITY_BYTES) : 0;
    const hasNone = capability === undefined || dropped === -errno.ENODATA;
    const first = hasNone ? 0 : this.#setCapability(at, capability);
    if (first < 0) return first;
    const failed = this.#changeOwner(at, wanted, recorded);
    if (failed < 0 && dropped > 0) {
      setxattr(at, { name: CAPABILITY, value: this.#dropped, size: dropped, flags: 0 });
    }
    return failed;
  }

  #changeOwner(at: Pointer, wanted: GuestAttributes, recorded: GuestAttributes): number {
    const mode = this.#setWord(at, MODE, wanted.mode);
    if (mode < 0) return mode;
    const gid = this.#setWord(at, GID, wanted.gid);
    const uid = gid < 0 ? gid : this.#setWord(at, UID, wanted.uid);
    if (uid >= 0) return uid;
    if (gid >= 0) this.#restore(at, GID, wanted.gid, recorded.gid);
    this.#restore(at, MODE, wanted.mode, recorded.mode);
    return uid;
  }

  #setCapability(at: Pointer, capability: Uint8Array): number {
    if (capability.length === 0) {
      const removed = removexattr(at, CAPABILITY);
      return unrecorded.has(removed) ? 0 : removed;
    }
    this.#value.set(capability);
    return setxattr(at, { name: CAPABILITY, value: this.#value, size: capability.length, flags: 0 });
  }

  /** @returns the length of the value, 0 when there is none, or -errno */
  #get(at: Pointer, attribute: Uint8Array, size: number): number {
    const length = getxattr(at, attribute, this.#value, size);
    return unrecorded.has(length) ? 0 : length;
  }

  #create(descriptor: number, attribute: Uint8Array, word: number): number {
    if (word === NOT_RECORDED) return 0;
    this.#view.setUint32(0, word, true);
    return this.#createValue(descriptor, attribute, 4);
  }

  #createValue(descriptor: number, name: Uint8Array, size: number): number {
    return fsetxattr(descriptor, { name, value: this.#value, size, flags: XATTR_CREATE });
  }

  #setWord(at: Pointer, attribute: Uint8Array, word: number): number {
    if (word === NOT_RECORDED) return 0;
    this.#view.setUint32(0, word, true);
    return setxattr(at, { name: attribute, value: this.#value, size: 4, flags: 0 });
  }

  #restore(at: Pointer, attribute: Uint8Array, changed: number, recorded: number): void {
    if (changed === NOT_RECORDED) return;
    if (recorded === NOT_RECORDED) removexattr(at, attribute);
    else this.#setWord(at, attribute, recorded);
  }
}
