import {
  PERMISSIONS,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
  S_ISGID,
  S_ISUID,
  S_IXGRP,
} from '../../syscalls/files.js';
import { setInt64, stableMemory } from '../../syscalls/memory.js';
import { FileStatus } from '../../syscalls/status.js';

/** What stands for an id or a mode that is not recorded: -1, as in chown(2). */
export const NOT_RECORDED = 0xffff_ffff;

/** Takes the capabilities from a file. */
export const NO_CAPABILITY = new Uint8Array(0);

/** The owner, mode (with the file type) and device number that the guest gave to an object, as far as it did. */
export class GuestAttributes {
  uid = NOT_RECORDED;
  gid = NOT_RECORDED;
  mode = NOT_RECORDED;
  /** As makedev(3) of glibc. */
  device: number | bigint | undefined;
  /** The value of `security.capability`. */
  capability: Uint8Array | undefined;
  readonly #device = new DataView(stableMemory(8).buffer);

  set(uid: number, gid: number, mode: number, device?: number | bigint): void {
    this.uid = uid;
    this.gid = gid;
    this.mode = mode;
    this.device = device;
    this.capability = undefined;
  }

  /** What chown(2) makes of an object of such a mode: only directories keep set-id bits. */
  setOwner(uid: number, gid: number, mode: number): void {
    this.set(uid, gid, NOT_RECORDED);
    if ((mode & S_IFMT) === S_IFDIR) return;
    const kept = mode & ~(S_ISUID | ((mode & S_IXGRP) === 0 ? 0 : S_ISGID));
    if (kept !== mode) this.mode = kept;
    this.capability = NO_CAPABILITY;
  }

  clear(): void {
    this.set(NOT_RECORDED, NOT_RECORDED, NOT_RECORDED);
  }

  /** Takes over what is recorded in others. */
  update({ uid, gid, mode, device, capability }: GuestAttributes): void {
    if (uid !== NOT_RECORDED) this.uid = uid;
    if (gid !== NOT_RECORDED) this.gid = gid;
    if (mode !== NOT_RECORDED) this.mode = mode;
    if (device !== undefined) this.device = device;
    if (capability !== undefined) this.capability = capability;
  }

  /** Makes the host's status of an object the guest's. */
  overlay(status: FileStatus): void {
    const { words } = status;
    if (this.uid !== NOT_RECORDED) words[FileStatus.UID] = this.uid;
    if (this.gid !== NOT_RECORDED) words[FileStatus.GID] = this.gid;
    if (this.mode === NOT_RECORDED) return;
    const type = guestType(status.mode & S_IFMT, this.mode & S_IFMT);
    status.mode = type | (this.mode & PERMISSIONS);
    if ((type !== S_IFCHR && type !== S_IFBLK) || this.device === undefined) return;
    setInt64(this.#device, 0, this.device);
    const low = this.#device.getUint32(0, true);
    const high = this.#device.getUint32(4, true);
    words[FileStatus.RDEV_MAJOR] = ((low >>> 8) & 0xfff) | (high & ~0xfff);
    words[FileStatus.RDEV_MINOR] = (low & 0xff) | ((low >>> 12) & ~0xff) | (high << 20);
  }
}

/** A regular file of the host may be anything but a directory to the guest; whatever else it is, it stays. */
function guestType(host: number, recorded: number): number {
  return host === S_IFREG && recorded !== S_IFDIR && recorded !== 0 ? recorded : host;
}
