import type { ByteResolver } from '../paths/path-resolver.js';
import type { RequestScope } from '../paths/request-scope.js';
import * as errno from '../../abi/errno.js';
import * as files from '../../syscalls/files.js';
import type { Pointer } from '../../syscalls/libc.js';
import { FileStatus } from '../../syscalls/status.js';
import type { AttributeStore } from './attribute-store.js';
import type { DescriptorOpener } from './descriptor-opener.js';
import { GuestAttributes } from './guest-attributes.js';
import type { Inode } from './inode.js';

const { close, read, readlinkOf, O_ACCMODE, O_NOFOLLOW, O_TRUNC, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } = files;

/** What it takes to look at an object and to open it. */
export interface ObjectParts {
  readonly scope: RequestScope;
  readonly paths: ByteResolver;
  readonly inode: Inode;
  readonly descriptors: DescriptorOpener;
  readonly store: AttributeStore;
  /** Whether links that the host made are links to the guest. */
  readonly hostSymlinks: boolean;
  /** Is told of every special file of the guest that was not opened. */
  readonly refused: () => void;
}

/**
 * An object as the guest has made it. What it is, is decided of the inode that is changed or opened then: its name may
 * lead to another one meanwhile.
 */
export class MappedObject {
  private readonly parts: ObjectParts;
  private readonly inode: Inode;
  readonly #recorded = new GuestAttributes();
  readonly #status = new FileStatus();

  constructor(parts: ObjectParts) {
    this.parts = parts;
    this.inode = parts.inode;
  }

  /** Holds an object and reads its status. @returns 0 or -errno */
  look(at: Uint8Array, status = this.#status): number {
    const failed = this.inode.hold(at, O_NOFOLLOW);
    return failed < 0 ? failed : this.#read(at, status);
  }

  /** Type and permissions of what was looked at or opened last. */
  get mode(): number {
    return this.#status.mode;
  }

  get type(): number {
    return this.#status.mode & S_IFMT;
  }

  /** Records some of what was looked at. */
  change(at: Uint8Array, wanted: GuestAttributes): number {
    return this.parts.store.change(this.inode, at, wanted, this.#recorded);
  }

  /** Opens what is, to the guest, a regular file or a directory. @returns a descriptor or what open(2) says otherwise */
  open(at: Uint8Array, flags: number): number {
    let failed = this.#lookToOpen(at);
    if (failed >= 0) failed = this.#refusal();
    // what is written to is not the file any more to which the capabilities were given; the emulator writes without
    // asking, so they are gone as soon as it may
    const writes = (flags & (O_ACCMODE | O_TRUNC)) !== 0;
    if (failed >= 0 && writes) failed = this.parts.store.dropCapability(this.inode, at, this.#recorded);
    return failed < 0 ? failed : this.parts.descriptors.reopen(this.inode.descriptor, flags);
  }

  /** As `open` for open(2) with O_CREAT, which opens no directory. */
  openFile(at: Uint8Array, flags: number): number {
    const opened = this.open(at, flags);
    if (opened < 0 || this.type !== S_IFDIR) return opened;
    close(opened);
    return -errno.EISDIR;
  }

  /** Reads the target of what is, to the guest, a symbolic link. @returns its length, cut at `size`, or -errno */
  readlink(at: Uint8Array, target: Pointer, size: number): number {
    const failed = this.#lookToOpen(at);
    const isLink = failed < 0 ? failed : this.type === S_IFLNK ? 0 : -errno.EINVAL;
    return isLink < 0 ? isLink : this.#readTarget(target, size);
  }

  #readTarget(target: Pointer, size: number): number {
    const { descriptor } = this.inode;
    const opened = this.parts.descriptors.reopen(descriptor, 0);
    // a real link of the host, which is ELOOP in QEMU's `local`
    if (opened === -errno.ELOOP && this.parts.hostSymlinks) return readlinkOf(descriptor, target, size);
    if (opened < 0) return opened;
    const length = read(opened, target, size);
    close(opened);
    return length;
  }

  #lookToOpen(at: Uint8Array): number {
    const failed = this.inode.holdToOpen(at);
    return failed < 0 ? failed : this.#read(at, this.#status);
  }

  #read(at: Uint8Array, status: FileStatus): number {
    const failed = this.inode.identify(status);
    if (failed < 0) return failed;
    const unread = this.parts.store.read(this.inode, at, this.#recorded);
    if (unread < 0) return unread;
    this.#recorded.overlay(status);
    return 0;
  }

  #refusal(): number {
    if (this.type === S_IFREG || this.type === S_IFDIR) return 0;
    if (this.type === S_IFLNK) return -errno.ELOOP;
    this.parts.refused();
    return -errno.ENXIO;
  }
}
