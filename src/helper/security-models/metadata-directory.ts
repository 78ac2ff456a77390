import * as errno from '../../abi/errno.js';
import * as files from '../../syscalls/files.js';
import { cString } from '../../syscalls/memory.js';
import { MetadataFiles } from './metadata-files.js';

const { AT_FDCWD, O_DIRECTORY, O_NOFOLLOW, O_PATH } = files;
const NAME = '.virtfs_metadata';
const ROOT_NAME = '.virtfs_metadata_root';
export const DIRECTORY = cString(NAME);
/** The metadata file of the export itself, in the export. */
export const ROOT_FILE = cString(ROOT_NAME);
/** Where the `LinkIndex` is, in the metadata directory of the export. */
export const LINKS = cString('.virtfs_metadata_links');
/** The names that the guest must not have. So no object has one, and in a metadata directory they are free. */
export const metadataNames: readonly Uint8Array[] = [DIRECTORY, ROOT_FILE, LINKS];
/** What begins the path of every metadata file. */
export const IN_DIRECTORY = new TextEncoder().encode(`${NAME}/`);
export const DIRECTORY_MODE = 0o700;

/** What it means that there is no metadata: its directory is not there, or something else is in its place. */
const absent = new Set([-errno.ENOENT, -errno.ENOTDIR]);

/**
 * The directory beside some objects that has a metadata file for each. It is always used through a descriptor, as a
 * link of the same name must not be followed.
 */
export class MetadataDirectory {
  readonly #files = new MetadataFiles();

  /** Makes that of the working directory, if there is none. */
  make(): number {
    const made = files.mkdir(DIRECTORY, DIRECTORY_MODE);
    return made === -errno.EEXIST ? 0 : made;
  }

  /** Whether there is a file of an object; -errno when that cannot be told. */
  has(parent: number, name: Uint8Array): number {
    return this.#in(parent, (directory) => {
      const found = files.openat(directory, name, O_PATH | O_NOFOLLOW, 0);
      if (found >= 0) files.close(found);
      return found < 0 ? found : 1;
    });
  }

  /** Removes the file of an object. @returns 0, also when there was none, or -errno */
  remove(name: Uint8Array, parent = AT_FDCWD): number {
    return this.#in(parent, (directory) => files.unlinkat(directory, name, 0));
  }

  /** Gives the file of an object a second name in that of the working directory. */
  link(oldDirectory: number, oldName: Uint8Array, newName: Uint8Array): number {
    const from = this.#open(oldDirectory);
    const to = from < 0 ? from : this.#open(AT_FDCWD);
    const linked = to < 0 ? to : this.#files.link(from, oldName, to, newName);
    if (from >= 0) files.close(from);
    if (to >= 0) files.close(to);
    return linked;
  }

  /** @returns what `step` does, but 0 for what is not there, the directory included */
  #in(parent: number, step: (directory: number) => number): number {
    const directory = this.#open(parent);
    const result = directory < 0 ? directory : step(directory);
    if (directory >= 0) files.close(directory);
    return absent.has(result) ? 0 : result;
  }

  #open(parent: number): number {
    return files.openat(parent, DIRECTORY, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
  }
}
