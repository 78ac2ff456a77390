import * as errno from '../../abi/errno.js';
import * as files from '../../syscalls/files.js';
import { cString } from '../../syscalls/memory.js';
import { DIRECTORY, DIRECTORY_MODE, ROOT_FILE } from './metadata-directory.js';
import { MetadataFiles, overwrite } from './metadata-files.js';

const { AT_FDCWD, close, ftruncate, mkdir, openat, renameat, unlinkat } = files;
const { O_DIRECTORY, O_NOFOLLOW, O_PATH } = files;

/** Names that no object has, so that they are free in a metadata directory. */
const BACKUP = DIRECTORY;
const DRAFT = ROOT_FILE;

/** No owner but the root, no permission. */
const NO_RIGHTS = 'virtfs.uid=0\nvirtfs.gid=0\nvirtfs.mode=0\n';
const NONE = -1;

/**
 * The metadata of an object that is to replace another one. From `begin` to `commit` nobody has a right to what has the
 * name: neither object must be seen with what is recorded of the other. All that may take space or a descriptor is done
 * in `begin`.
 */
export class MetadataReplacement {
  /** With the text of the object that is moved. */
  readonly #files = new MetadataFiles();
  readonly #backup = new MetadataFiles();
  readonly #noRights = cString(NO_RIGHTS);
  #name = DRAFT;
  #oldName = DRAFT;
  #from = NONE;
  #to = NONE;
  /** The file that says that nobody has a right, while it has the name. */
  #shade = NONE;
  /** The length of the text of the object that is moved, or what kept it from being read: -errno. */
  #length = NONE;
  #hasBackup = false;

  /** @returns 0, or -errno when nothing has changed; to be followed by `commit` or `rollback` in the first case */
  begin(oldDirectory: number, oldName: Uint8Array, newName: Uint8Array): number {
    this.#oldName = oldName;
    this.#name = newName;
    this.#hasBackup = false;
    this.#from = open(oldDirectory);
    this.#to = open(AT_FDCWD);
    const failed = this.#prepare();
    if (failed < 0) this.#close();
    return failed;
  }

  #prepare(): number {
    for (const directory of [this.#from, this.#to]) {
      if (directory < 0 && !isAbsent(directory)) return directory;
    }
    const replaced = this.#to < 0 ? this.#to : this.#backup.read(this.#to, this.#name);
    this.#length = this.#from < 0 ? this.#from : this.#files.read(this.#from, this.#oldName);
    for (const length of [replaced, this.#length]) if (length < 0 && !isAbsent(length)) return length;
    if (replaced < 0 && this.#length < 0) return 0;
    if (this.#to < 0) {
      const made = mkdir(DIRECTORY, DIRECTORY_MODE);
      this.#to = made < 0 ? made : open(AT_FDCWD);
    }
    return this.#to < 0 ? this.#to : this.#shadeName(replaced >= 0);
  }

  #shadeName(isReplacedRecorded: boolean): number {
    for (const left of [BACKUP, DRAFT]) unlinkat(this.#to, left, 0);
    const kept = isReplacedRecorded ? this.#backup.link(this.#to, this.#name, this.#to, BACKUP) : 0;
    if (kept < 0) return kept;
    this.#hasBackup = isReplacedRecorded;
    this.#shade = this.#files.create(this.#to, DRAFT, this.#noRights, NO_RIGHTS.length);
    const shaded = this.#shade < 0 ? this.#shade : renameat(this.#to, DRAFT, this.#name, this.#to);
    if (shaded < 0) for (const left of [DRAFT, BACKUP]) unlinkat(this.#to, left, 0);
    return shaded;
  }

  /** The object has been renamed. */
  commit(): void {
    if (this.#shade >= 0) {
      if (this.#length >= 0) this.#moveRecord();
      // nothing is recorded of it
      else if (unlinkat(this.#to, this.#name, 0) < 0) ftruncate(this.#shade, 0);
      if (this.#hasBackup) unlinkat(this.#to, BACKUP, 0);
    }
    this.#close();
  }

  /** The object has not been renamed. */
  rollback(): void {
    if (this.#hasBackup) renameat(this.#to, BACKUP, this.#name, this.#to);
    else if (this.#shade >= 0) unlinkat(this.#to, this.#name, 0);
    this.#close();
  }

  #moveRecord(): void {
    if (renameat(this.#from, this.#oldName, this.#name, this.#to) >= 0) return;
    overwrite(this.#shade, this.#files.text, this.#length, NO_RIGHTS.length);
    unlinkat(this.#from, this.#oldName, 0);
  }

  #close(): void {
    for (const descriptor of [this.#from, this.#to, this.#shade]) if (descriptor >= 0) close(descriptor);
    this.#from = this.#to = this.#shade = NONE;
  }
}

function open(parent: number): number {
  return openat(parent, DIRECTORY, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
}

function isAbsent(failed: number): boolean {
  return failed === -errno.ENOENT || failed === -errno.ENOTDIR;
}
