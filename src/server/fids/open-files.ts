import * as errno from '../../abi/errno.js';
import { close } from '../../syscalls/files.js';
import { FileStatus, fstatWithBirth, identityWithBirth } from '../../syscalls/status.js';
import type { Locks } from './locks.js';
import type { Node } from './node.js';
import { OpenFile, type Opening } from './open-file.js';

/** Opens what a path leads to. @returns a descriptor, or -errno */
type Open = (path: Uint8Array, flags: number) => Promise<number>;

/** What opening says of a name that leads nowhere any more, or to something that is no file. */
const replaced = new Set(
  [errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EISDIR].map((code) => -code),
);

/**
 * The open files of a client, and how many descriptors they and their locks may take.
 *
 * Where one more is needed than there may be, a file that was not used for long gives its descriptor back. It is opened
 * again by its path when it is used, and is ESTALE when that leads to another file then. A file that would not be found
 * again keeps its descriptor, and so do directories, whose place in reading goes with it, and what has locks.
 *
 * Descriptors are given back and taken again by requests of which one is carried out at a time. What runs beside these
 * uses files (`OpenFile.use`) that are not away.
 */
export class OpenFiles {
  readonly #limit: number;
  readonly #locks: Locks;
  readonly #open: Open;
  readonly #status = new FileStatus();
  /** How many there are, and how many of them have a descriptor. */
  #size = 0;
  #count = 0;
  /** Those that may give their descriptor back, in the order in which they are looked at: a clock with one hand. */
  readonly #candidates = new Set<OpenFile>();
  /** Those that have given it back, by the node that they are opened again by. */
  readonly #away = new Map<Node, Set<OpenFile>>();

  constructor(limit: number, locks: Locks, open: Open) {
    this.#limit = limit;
    this.#locks = locks;
    this.#open = open;
  }

  get size(): number {
    return this.#size;
  }

  /** How many there are of files and locks. */
  get descriptors(): number {
    return this.#count + this.#locks.opened;
  }

  /** Sees to it that one more descriptor may be opened. @returns 0, or -EMFILE */
  makeRoom(): number {
    if (this.descriptors < this.#limit) return 0;
    // those that were used since the last time are passed over once
    for (let left = 2 * this.#candidates.size; left > 0; left--) {
      const [file] = this.#candidates;
      if (file === undefined) break;
      this.#candidates.delete(file);
      if (!file.isIdle || file.isRecent) {
        file.isRecent = false;
        this.#candidates.add(file);
      } else if (this.#giveBack(file)) return 0;
    }
    return -errno.EMFILE;
  }

  /** Takes over a descriptor that the helper has passed, for which there was room. */
  add(opening: Opening): OpenFile {
    this.#size++;
    this.#count++;
    const file = new OpenFile(opening, this.#closed);
    if (file.directory === undefined) this.#candidates.add(file);
    return file;
  }

  /** The descriptor of a file, opened again where it was given back. @returns -errno: ESTALE, EMFILE */
  descriptorOf(file: OpenFile): number | Promise<number> {
    file.isRecent = true;
    return file.isAway ? this.#takeAgain(file) : file.descriptor;
  }

  /** Sees to it that files do not need the name by which they are known, which is about to go. @returns 0, or -errno */
  async keep(node: Node | undefined): Promise<number> {
    const away = node === undefined ? undefined : this.#away.get(node);
    if (away === undefined) return 0;
    const kept: OpenFile[] = [];
    let failed = 0;
    for (const file of away) {
      const descriptor = await this.#takeAgain(file);
      // of another file the name may go
      if (descriptor === -errno.ESTALE || descriptor === -errno.EBADF) continue;
      if (descriptor < 0) {
        failed = descriptor;
        break;
      }
      kept.push(file.use());
    }
    for (const file of kept) file.done();
    return failed;
  }

  readonly #closed = (file: OpenFile): void => {
    this.#size--;
    if (file.isAway) this.#isBack(file);
    else {
      this.#count--;
      this.#candidates.delete(file);
    }
    this.#locks.closed(file);
  };

  /** @returns whether it can be found again, or else keeps its descriptor for good */
  #giveBack(file: OpenFile): boolean {
    const { node, descriptor } = file;
    const status = this.#status;
    if (node.isRemoved || fstatWithBirth(descriptor, status) < 0) return false;
    if (status.words[FileStatus.NLINK] === 0) return false;
    file.giveBack(identityWithBirth(status));
    this.#count--;
    const away = this.#away.get(node) ?? new Set();
    this.#away.set(node, away.add(file));
    return true;
  }

  async #takeAgain(file: OpenFile): Promise<number> {
    const full = this.makeRoom();
    if (full < 0) return full;
    const path = file.node.path();
    if (typeof path === 'number') return path;
    const descriptor = await this.#open(path, file.flags);
    if (descriptor < 0) return replaced.has(descriptor) ? -errno.ESTALE : descriptor;
    const failed = file.isClosed ? -errno.EBADF : fstatWithBirth(descriptor, this.#status);
    if (failed < 0 || !file.takeAgain(descriptor, identityWithBirth(this.#status))) {
      close(descriptor);
      return failed < 0 ? failed : -errno.ESTALE;
    }
    this.#isBack(file);
    this.#count++;
    this.#candidates.add(file);
    return descriptor;
  }

  #isBack(file: OpenFile): void {
    const away = this.#away.get(file.node);
    away?.delete(file);
    if (away?.size === 0) this.#away.delete(file.node);
  }
}
