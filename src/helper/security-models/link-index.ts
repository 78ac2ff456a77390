import * as errno from '../../abi/errno.js';
import * as files from '../../syscalls/files.js';
import { stableMemory } from '../../syscalls/memory.js';
import { FileStatus, fstatWithBirth, lstat } from '../../syscalls/status.js';
import type { DescriptorOpener } from './descriptor-opener.js';
import { DIRECTORY, DIRECTORY_MODE, IN_DIRECTORY, LINKS, ROOT_FILE } from './metadata-directory.js';
import { unrecorded } from './metadata-files.js';
import type { RecordMark } from './record-mark.js';

const { AT_FDCWD, close, linkat, mkdirat, openat, openResolving, renameat, unlinkat } = files;
const { O_DIRECTORY, O_NOFOLLOW, O_PATH } = files;
const openDirectly = openResolving(files.RESOLVE_NO_SYMLINKS | files.RESOLVE_NO_MAGICLINKS);

/** A power of two. The inodes of a tree are numbered nearly in a row, so that few meet in one slot. */
const SLOTS = 0x4000;
const SLOT_DIGITS = 4;
const SLASH = 0x2f;
/** Where the parts of the path of an entry end: of the metadata directory and of the table. */
const END_OF_DIRECTORY = IN_DIRECTORY.length;
const END_OF_LINKS = END_OF_DIRECTORY + LINKS.length;
/** A name that is free in every metadata directory, and in the table. */
const DRAFT = ROOT_FILE;
const { INO } = FileStatus;

/** What it means that there cannot be an entry, for an object that can be changed nevertheless. */
const impossible = new Set(
  [errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.ELOOP].map(
    (code) => -code,
  ),
);

/**
 * Metadata files by the inode that they are for. The host may have given it names that the guest has changed nothing
 * through, so that they have no metadata file.
 *
 * An entry is a link of a metadata file, and counts only with a mark. As nobody tells when the host removes the last name
 * of an inode, this is a table of fixed size: an inode may take the slot of another, whose other names then are as on the
 * host. It is in the metadata directory of the export, where neither a guest of this helper nor one of QEMU's reaches it.
 */
export class LinkIndex {
  readonly #root: number;
  readonly #descriptors: DescriptorOpener;
  readonly #mark: RecordMark;
  /** The path of the last entry, with a slash in front. */
  readonly #whole = stableMemory(END_OF_LINKS + SLOT_DIGITS + 2);
  /** The same from `#root`. */
  readonly #path: Uint8Array;
  readonly #slot = stableMemory(SLOT_DIGITS + 1);
  readonly #status = new FileStatus();
  readonly #other = new FileStatus();

  /** @param root an O_PATH descriptor of the export; none when the export is the root directory */
  constructor(root: number | undefined, descriptors: DescriptorOpener, mark: RecordMark) {
    this.#root = root ?? AT_FDCWD;
    this.#path = root === undefined ? this.#whole : this.#whole.subarray(1);
    this.#descriptors = descriptors;
    this.#mark = mark;
    this.#whole[0] = SLASH;
    this.#whole.set(IN_DIRECTORY, 1);
    this.#whole.set(LINKS, 1 + IN_DIRECTORY.length);
  }

  /** Opens the metadata file of an inode for reading. @returns a descriptor, -ENOENT when there is none, or -errno */
  open(object: FileStatus): number {
    const slot = this.#slotOf(object);
    this.#whole[END_OF_LINKS] = SLASH;
    this.#whole.set(slot, END_OF_LINKS + 1);
    const located = openDirectly(this.#root, this.#path, O_PATH | O_NOFOLLOW, 0);
    if (located < 0) return located;
    const opened = this.#descriptors.reopen(located, 0);
    close(located);
    if (opened < 0) return opened;
    const failed = fstatWithBirth(opened, this.#status);
    if (failed >= 0 && this.#mark.isOf(opened, this.#status, object)) return opened;
    close(opened);
    return failed < 0 ? failed : -errno.ENOENT;
  }

  /**
   * Gives the metadata file of an inode a name in the metadata directory of the working directory, in place of one that
   * is left there.
   *
   * @returns 1, 0 when there is none, or -errno
   */
  takeTo(name: Uint8Array, object: FileStatus): number {
    const opened = this.open(object);
    if (opened < 0) return unrecorded.has(opened) ? 0 : opened;
    close(opened);
    const made = files.mkdir(DIRECTORY, DIRECTORY_MODE);
    if (made < 0 && made !== -errno.EEXIST) return made;
    return this.#between((links, directory) => replace(links, this.#slotOf(object), name, directory));
  }

  /** Takes up a metadata file of the working directory. @returns 1, 0 when it was there or cannot be, or -errno */
  add(name: Uint8Array, object: FileStatus): number {
    const made = this.#make();
    if (made < 0) return impossible.has(made) ? 0 : made;
    const linked = this.#between((links, directory) => {
      const slot = this.#slotOf(object);
      return this.#isSame(links, slot, directory, name) ? 0 : replace(directory, name, slot, links);
    });
    return impossible.has(linked) ? 0 : linked;
  }

  /** Undoes `add`. */
  remove(object: FileStatus): void {
    this.#between((links) => unlinkat(links, this.#slotOf(object), 0));
  }

  /** Makes the table, if there is none. */
  #make(): number {
    const there = this.#openLinks();
    if (there >= 0) close(there);
    if (there !== -errno.ENOENT) return Math.min(there, 0);
    this.#whole[END_OF_DIRECTORY] = 0;
    const made = mkdirat(this.#root, this.#path, DIRECTORY_MODE);
    this.#whole[END_OF_DIRECTORY] = SLASH;
    if (made < 0 && made !== -errno.EEXIST) return made;
    const links = mkdirat(this.#root, this.#path, DIRECTORY_MODE);
    return links === -errno.EEXIST ? 0 : links;
  }

  /** @returns what `step` does with the table and the metadata directory of the working directory, or -errno */
  #between(step: (links: number, directory: number) => number): number {
    const links = this.#openLinks();
    const directory = links < 0 ? links : openat(AT_FDCWD, DIRECTORY, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
    const result = directory < 0 ? directory : step(links, directory);
    if (links >= 0) close(links);
    if (directory >= 0) close(directory);
    return result;
  }

  #openLinks(): number {
    this.#whole[END_OF_LINKS] = 0;
    return openDirectly(this.#root, this.#path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
  }

  #isSame(directory: number, name: Uint8Array, otherDirectory: number, otherName: Uint8Array): boolean {
    const [one, other] = [this.#status, this.#other];
    if (lstat(name, one, directory) < 0 || lstat(otherName, other, otherDirectory) < 0) return false;
    return one.words[INO] === other.words[INO] && one.words[INO + 1] === other.words[INO + 1];
  }

  #slotOf({ words }: FileStatus): Uint8Array {
    const text = ((words[INO] ?? 0) % SLOTS).toString(16).padStart(SLOT_DIGITS, '0');
    for (let at = 0; at < SLOT_DIGITS; at++) this.#slot[at] = text.charCodeAt(at);
    return this.#slot;
  }
}

/** Gives a file another name, in one step where another file has that. @returns 1 or -errno */
function replace(from: number, name: Uint8Array, newName: Uint8Array, to: number): number {
  let linked = linkat(from, name, newName, to);
  if (linked >= 0) return 1;
  if (linked !== -errno.EEXIST) return linked;
  unlinkat(to, DRAFT, 0);
  linked = linkat(from, name, DRAFT, to);
  if (linked < 0) return linked;
  const renamed = renameat(to, DRAFT, newName, to);
  // when the two are one file, rename(2) leaves both names
  unlinkat(to, DRAFT, 0);
  return renamed < 0 ? renamed : 1;
}
