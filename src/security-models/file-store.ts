import * as errno from '../syscalls/errno.js';
import * as files from '../syscalls/files.js';
import { cString, stableMemory } from '../syscalls/memory.js';
import { write } from '../syscalls/process.js';
import { FileStatus, lstat } from '../syscalls/status.js';
import type { AttributeStore } from './attribute-store.js';
import type { DescriptorOpener } from './descriptor-opener.js';
import { GuestAttributes, NO_CAPABILITY } from './guest-attributes.js';
import { MetadataDirectory } from './metadata-directory.js';
import { format, MAX_TEXT_BYTES, parse } from './metadata-text.js';

const DIRECTORY_NAME = '.virtfs_metadata';
const ROOT_NAME = '.virtfs_metadata_root';
const IN_DIRECTORY = new TextEncoder().encode(`${DIRECTORY_NAME}/`);
const ROOT_FILE = cString(ROOT_NAME);
/** The names that the guest must not have. */
export const metadataNames: readonly Uint8Array[] = [cString(DIRECTORY_NAME), ROOT_FILE];

/** A name with its NUL: the kernel refuses longer ones with ENAMETOOLONG before this is reached. */
const MAX_NAME_BYTES = 4096;
const FILE_MODE = 0o600;
const DOT = 0x2e;
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = files;

/** What it means that a metadata file cannot be opened: not there, or something that is none. */
const unrecorded = new Set(
  [errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EISDIR, errno.EACCES].map((code) => -code),
);

/**
 * Keeps the guest's attributes in a text file of the same name in the directory `.virtfs_metadata` beside the object,
 * those of the export itself in `.virtfs_metadata_root` in it. The files of one object's hard links are links, too.
 */
export class FileStore implements AttributeStore {
  readonly #descriptors: DescriptorOpener;
  readonly #directory = new MetadataDirectory(cString(DIRECTORY_NAME));
  readonly #entry = stableMemory(IN_DIRECTORY.length + MAX_NAME_BYTES);
  readonly #text = stableMemory(MAX_TEXT_BYTES);
  readonly #merged = new GuestAttributes();
  readonly #wanted = new GuestAttributes();
  readonly #status = new FileStatus();

  constructor(descriptors: DescriptorOpener) {
    this.#descriptors = descriptors;
    this.#entry.set(IN_DIRECTORY);
  }

  read(name: Uint8Array, attributes: GuestAttributes): number {
    attributes.clear();
    const descriptor = this.#descriptors.open(this.#entryOf(name), O_NOFOLLOW);
    if (descriptor < 0) return unrecorded.has(descriptor) ? 0 : descriptor;
    const length = files.read(descriptor, this.#text, MAX_TEXT_BYTES);
    this.#descriptors.close(descriptor);
    if (length < 0) return length === -errno.EISDIR ? 0 : length;
    parse(this.#text, length, attributes);
    return 0;
  }

  readCapability(name: Uint8Array, value: Uint8Array): number {
    const failed = this.read(name, this.#merged);
    if (failed < 0 || this.#merged.capability === undefined) return failed;
    value.set(this.#merged.capability);
    return this.#merged.capability.length;
  }

  change(name: Uint8Array, attributes: GuestAttributes): number {
    const failed = this.read(name, this.#merged);
    if (failed < 0) return failed;
    this.#merged.update(attributes);
    // in place: the files of hard links are one
    const descriptor = this.#descriptors.open(this.#entryOf(name), O_WRONLY | O_NOFOLLOW);
    if (descriptor === -errno.ENOENT) return this.record(name, this.#merged);
    return descriptor < 0 ? descriptor : this.#write(descriptor, this.#merged);
  }

  record(name: Uint8Array, attributes: GuestAttributes): number {
    const entry = this.#entryOf(name);
    let descriptor = this.#createEntry(entry);
    if (descriptor === -errno.ENOENT) {
      const made = this.#directory.make();
      descriptor = made < 0 ? made : this.#createEntry(entry);
    } else if (descriptor === -errno.EEXIST) {
      // left of an object that somebody else removed; it may be the file of another object, too
      const failed = this.#directory.remove(name);
      descriptor = failed < 0 ? failed : this.#createEntry(entry);
    }
    return descriptor < 0 ? descriptor : this.#write(descriptor, attributes);
  }

  dropCapability(name: Uint8Array, { capability }: GuestAttributes): number {
    if (capability === undefined) return 0;
    this.#wanted.clear();
    this.#wanted.capability = NO_CAPABILITY;
    return this.change(name, this.#wanted);
  }

  link(oldDirectory: number, oldName: Uint8Array, newName: Uint8Array): number {
    const prepared = this.#directory.prepare(oldDirectory, oldName);
    const linked = prepared < 0 ? prepared : files.linkat(oldDirectory, oldName, newName);
    if (linked < 0) return linked;
    const failed = this.#directory.move(oldDirectory, oldName, newName, files.linkat);
    if (failed < 0) files.unlink(newName);
    return failed;
  }

  rename(oldDirectory: number, oldName: Uint8Array, newName: Uint8Array): number {
    // what can fail is done first
    const prepared = this.#directory.prepare(oldDirectory, oldName);
    if (prepared < 0) return prepared;
    let renamed = files.renameat(oldDirectory, oldName, newName);
    if (renamed === -errno.ENOTEMPTY && this.#directory.empty(newName)) {
      renamed = files.renameat(oldDirectory, oldName, newName);
    }
    if (renamed < 0) return renamed;
    // two names of one inode: rename(2) does nothing and says that it worked
    if (lstat(oldName, this.#status, oldDirectory) === 0) return 0;
    return this.#directory.move(oldDirectory, oldName, newName, files.renameat);
  }

  remove(name: Uint8Array): number {
    let removed = files.remove(name);
    if (removed === -errno.ENOTEMPTY && this.#directory.empty(name)) removed = files.rmdir(name);
    if (removed >= 0) this.#directory.remove(name);
    return removed;
  }

  #createEntry(entry: Uint8Array): number {
    return this.#descriptors.create(entry, O_WRONLY | O_CREAT | O_EXCL, FILE_MODE);
  }

  /** Over the old text, which is cut then: nothing is lost when this process ends in between. */
  #write(descriptor: number, attributes: GuestAttributes): number {
    const length = format(attributes, this.#text);
    const written = write(descriptor, this.#text, length);
    const failed = written < 0 ? written : files.ftruncate(descriptor, length);
    this.#descriptors.close(descriptor);
    return failed >= 0 && written !== length ? -errno.ENOSPC : failed;
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
