import * as errno from '../../abi/errno.js';
import type { RequestScope } from '../paths/request-scope.js';
import * as files from '../../syscalls/files.js';
import { stableMemory } from '../../syscalls/memory.js';
import { FileStatus, fstatWithBirth, lstat } from '../../syscalls/status.js';
import type { AttributeStore } from './attribute-store.js';
import type { DescriptorOpener } from './descriptor-opener.js';
import { GuestAttributes, NO_CAPABILITY } from './guest-attributes.js';
import type { Inode } from './inode.js';
import { LeftMetadata } from './left-metadata.js';
import { LinkIndex } from './link-index.js';
import { IN_DIRECTORY, MetadataDirectory, ROOT_FILE } from './metadata-directory.js';
import { overwrite, unrecorded } from './metadata-files.js';
import { MetadataReplacement } from './metadata-replacement.js';
import { format, MAX_TEXT_BYTES, parse } from './metadata-text.js';
import { RecordMark } from './record-mark.js';

/** A name with its NUL: the kernel refuses longer ones with ENAMETOOLONG before this is reached. */
const MAX_NAME_BYTES = 4096;
const FILE_MODE = 0o600;
const DOT = 0x2e;
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR, O_WRONLY, S_IFDIR, S_IFMT } = files;
const { NLINK } = FileStatus;

/**
 * Keeps the guest's attributes in a text file of the same name in the directory `.virtfs_metadata` beside the object,
 * those of the export itself in `.virtfs_metadata_root` in it. The files of one object's hard links are links, too. One
 * that is left of another inode which had the name says nothing (`RecordMark`).
 */
export class FileStore implements AttributeStore {
  private readonly scope: RequestScope;
  private readonly descriptors: DescriptorOpener;
  readonly #directory = new MetadataDirectory();
  readonly #replacement = new MetadataReplacement();
  readonly #left = new LeftMetadata();
  readonly #mark = new RecordMark();
  private readonly index: LinkIndex;
  readonly #entry = stableMemory(IN_DIRECTORY.length + MAX_NAME_BYTES);
  readonly #text = stableMemory(MAX_TEXT_BYTES);
  readonly #merged = new GuestAttributes();
  readonly #wanted = new GuestAttributes();
  /** Of the metadata file that was opened last. */
  readonly #status = new FileStatus();
  readonly #old = new FileStatus();
  readonly #new = new FileStatus();

  /** @param root as of LinkIndex */
  constructor(scope: RequestScope, descriptors: DescriptorOpener, root: number | undefined) {
    this.scope = scope;
    this.descriptors = descriptors;
    this.index = new LinkIndex(root, descriptors, this.#mark);
    this.#entry.set(IN_DIRECTORY);
  }

  read(inode: Inode, name: Uint8Array, attributes: GuestAttributes): number {
    attributes.clear();
    const object = inode.known();
    if (typeof object === 'number') return object;
    let descriptor = this.#open(name, O_NOFOLLOW, object);
    if (unrecorded.has(descriptor) && hasOtherNames(object)) {
      descriptor = this.index.open(object);
      if (descriptor >= 0) this.scope.hold(descriptor);
    }
    if (descriptor < 0) return unrecorded.has(descriptor) ? 0 : descriptor;
    const length = files.read(descriptor, this.#text, MAX_TEXT_BYTES);
    if (length < 0) return length === -errno.EISDIR ? 0 : length;
    parse(this.#text, length, attributes);
    return 0;
  }

  /** Opens the metadata file of a name, and holds it. @returns a descriptor, -ENOENT also when it is left of another object, or -errno */
  #open(name: Uint8Array, flags: number, object: FileStatus): number {
    const descriptor = this.descriptors.open(this.#entryOf(name), flags, this.#status);
    if (descriptor < 0) return descriptor;
    this.scope.hold(descriptor);
    return this.#mark.isOfAnother(descriptor, this.#status, object) ? -errno.ENOENT : descriptor;
  }

  readCapability(inode: Inode, name: Uint8Array, value: Uint8Array): number {
    const failed = this.read(inode, name, this.#merged);
    if (failed < 0 || this.#merged.capability === undefined) return failed;
    value.set(this.#merged.capability);
    return this.#merged.capability.length;
  }

  dropCapability(inode: Inode, name: Uint8Array, { capability }: GuestAttributes): number {
    if (capability === undefined) return 0;
    this.#wanted.clear();
    this.#wanted.capability = NO_CAPABILITY;
    return this.change(inode, name, this.#wanted);
  }

  change(inode: Inode, name: Uint8Array, attributes: GuestAttributes): number {
    const object = inode.known();
    if (typeof object === 'number') return object;
    let descriptor = this.#open(name, O_RDWR | O_NOFOLLOW, object);
    if (descriptor === -errno.ENOENT && hasOtherNames(object)) {
      const taken = this.index.takeTo(name, object);
      if (taken !== 0) descriptor = taken < 0 ? taken : this.#open(name, O_RDWR | O_NOFOLLOW, object);
    }
    if (descriptor === -errno.ENOENT) return this.#record(name, attributes, object);
    if (descriptor < 0) return descriptor;
    return this.#rewrite(descriptor, name, attributes, object);
  }

  /** In place: the files of hard links are one. */
  #rewrite(descriptor: number, name: Uint8Array, attributes: GuestAttributes, object: FileStatus): number {
    const length = files.read(descriptor, this.#text, MAX_TEXT_BYTES);
    if (length < 0) return length;
    this.#merged.clear();
    parse(this.#text, length, this.#merged);
    this.#merged.update(attributes);
    const shared = hasOtherNames(object) ? this.#share(descriptor, name, object) : 0;
    if (shared < 0) return shared;
    const written = this.#write(descriptor, this.#merged, length);
    if (written >= 0) this.#mark.set(descriptor, object);
    else if (shared > 0) this.index.remove(object);
    return written;
  }

  /** Sees to it that a change is seen through names without metadata file, at once when it is written. @returns as `add` */
  #share(descriptor: number, name: Uint8Array, object: FileStatus): number {
    const links = this.#status.words[NLINK] ?? 0;
    const marked = this.#mark.set(descriptor, object, false);
    return marked <= 0 || (object.words[NLINK] ?? 0) <= links
      ? Math.min(marked, 0)
      : this.index.add(name, object);
  }

  prepare(name: Uint8Array): number {
    const found = lstat(name, this.#new);
    if (found !== -errno.ENOENT) return Math.min(found, 0);
    return this.#directory.remove(name);
  }

  record(descriptor: number, name: Uint8Array, attributes: GuestAttributes): number {
    const failed = fstatWithBirth(descriptor, this.#new);
    return failed < 0 ? failed : this.#record(name, attributes, this.#new);
  }

  #record(name: Uint8Array, attributes: GuestAttributes, object: FileStatus): number {
    const entry = this.#entryOf(name);
    let descriptor = this.#createEntry(entry);
    if (descriptor === -errno.ENOENT) {
      const made = this.#directory.make();
      descriptor = made < 0 ? made : this.#createEntry(entry);
    } else if (descriptor === -errno.EEXIST) {
      // left of an object that the host removed; it may be the file of another object, too
      const failed = this.#directory.remove(name);
      descriptor = failed < 0 ? failed : this.#createEntry(entry);
    }
    if (descriptor < 0) return descriptor;
    let failed = this.#write(descriptor, attributes, 0);
    if (failed >= 0) {
      const marked = this.#mark.set(descriptor, object);
      if (hasOtherNames(object)) failed = marked <= 0 ? marked : this.index.add(name, object);
    }
    if (failed < 0) files.unlink(this.#entryOf(name));
    return Math.min(failed, 0);
  }

  /** What is recorded comes first: an object without it would be as on the host. */
  link(oldDirectory: number, oldName: Uint8Array, newName: Uint8Array): number {
    const found = lstat(newName, this.#new);
    if (found !== -errno.ENOENT) return found < 0 ? found : -errno.EEXIST;
    const recorded = this.#copyRecord(oldDirectory, oldName, newName);
    if (recorded < 0) return recorded;
    const linked = files.linkat(oldDirectory, oldName, newName);
    if (linked < 0) this.#directory.remove(newName);
    return linked;
  }

  rename(oldDirectory: number, oldName: Uint8Array, newName: Uint8Array): number {
    const found = lstat(oldName, this.#old, oldDirectory);
    if (found < 0) return found;
    const replaced = lstat(newName, this.#new);
    if (replaced === -errno.ENOENT) return this.#renameToNew(oldDirectory, oldName, newName);
    if (replaced < 0) return replaced;
    // two names of one inode: rename(2) does nothing and says that it worked
    if (isSame(this.#old, this.#new)) return files.renameat(oldDirectory, oldName, newName);
    return this.#renameOver(oldDirectory, oldName, newName);
  }

  remove(name: Uint8Array): number {
    let removed = files.remove(name);
    if (removed === -errno.ENOTEMPTY && this.#left.empty(name)) removed = files.rmdir(name);
    if (removed >= 0) this.#directory.remove(name);
    return removed;
  }

  /** Both names have what is recorded, until the old one is gone. */
  #renameToNew(oldDirectory: number, oldName: Uint8Array, newName: Uint8Array): number {
    const recorded = this.#copyRecord(oldDirectory, oldName, newName);
    if (recorded < 0) return recorded;
    const renamed = files.renameat(oldDirectory, oldName, newName);
    if (renamed < 0) this.#directory.remove(newName);
    else if (recorded > 0) this.#directory.remove(oldName, oldDirectory);
    return renamed;
  }

  /** Nobody has a right to either object until the new name has what is recorded of the one that is moved. */
  #renameOver(oldDirectory: number, oldName: Uint8Array, newName: Uint8Array): number {
    const begun = this.#replacement.begin(oldDirectory, oldName, newName);
    if (begun < 0) return begun;
    let renamed = files.renameat(oldDirectory, oldName, newName);
    if (renamed === -errno.ENOTEMPTY && this.#left.empty(newName)) {
      renamed = files.renameat(oldDirectory, oldName, newName);
    }
    if (renamed < 0) this.#replacement.rollback();
    else this.#replacement.commit();
    return renamed;
  }

  /** Gives a name at which there is nothing what is recorded of another. @returns 1, 0 when that is nothing, or -errno */
  #copyRecord(oldDirectory: number, oldName: Uint8Array, newName: Uint8Array): number {
    const cleared = this.#directory.remove(newName);
    if (cleared < 0) return cleared;
    const isRecorded = this.#directory.has(oldDirectory, oldName);
    if (isRecorded <= 0) return isRecorded;
    const made = this.#directory.make();
    const linked = made < 0 ? made : this.#directory.link(oldDirectory, oldName, newName);
    return linked < 0 ? linked : 1;
  }

  #createEntry(entry: Uint8Array): number {
    const created = this.descriptors.create(entry, O_WRONLY | O_CREAT | O_EXCL, FILE_MODE);
    return created < 0 ? created : this.scope.hold(created);
  }

  /** The empty lines that are left when the end cannot be cut off say nothing. */
  #write(descriptor: number, attributes: GuestAttributes, oldLength: number): number {
    const length = format(attributes, this.#text);
    const written = overwrite(descriptor, this.#text, length, oldLength);
    if (written >= 0 && length < oldLength) files.ftruncate(descriptor, length);
    return written;
  }

  /** The metadata file of an object, relative to the object's directory. */
  #entryOf(name: Uint8Array): Uint8Array {
    if (name[0] === DOT && name[1] === 0) return ROOT_FILE;
    let at = 0;
    const start = IN_DIRECTORY.length;
    for (; name[at] !== 0 && at < MAX_NAME_BYTES - 1; at++) this.#entry[start + at] = name[at] ?? 0;
    this.#entry[start + at] = 0;
    return this.#entry;
  }
}

function hasOtherNames(object: FileStatus): boolean {
  return (object.words[NLINK] ?? 0) > 1 && (object.mode & S_IFMT) !== S_IFDIR;
}

function isSame({ words: first }: FileStatus, { words: second }: FileStatus): boolean {
  const { INO, DEV_MAJOR, DEV_MINOR } = FileStatus;
  return [INO, INO + 1, DEV_MAJOR, DEV_MINOR].every((word) => first[word] === second[word]);
}
