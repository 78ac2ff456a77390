import * as errno from '../abi/errno.js';
import {
  AT_FDCWD,
  close,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  openat,
  readlinkOf,
  S_IFLNK,
  S_IFMT,
} from '../syscalls/files.js';
import { cString, stableMemory } from '../syscalls/memory.js';
import { FileStatus, FileSystemStatus, fstat, fstatfs } from '../syscalls/status.js';

/** As many links as the kernel follows: path_resolution(7). */
const MAX_LINKS = 40;
const MAX_TARGET = 4096;
const PROC_SUPER_MAGIC = 0x9fa0;
const SLASH = 0x2f;
const UP = cString('..');

/**
 * Is asked about every symbolic link before it is followed, and throws to refuse it.
 *
 * @param link its name
 * @param owner who made it
 * @param above descriptors of the directories that lead to it, the nearest last
 */
export type LinkCheck = (link: string, owner: number, above: readonly number[]) => void;

/**
 * Opens a directory, one component at a time and each only once, so that what was checked is what is used.
 *
 * @param path absolute
 * @returns an O_PATH descriptor, or -errno
 */
export function walk(path: string, check: LinkCheck): number {
  const way = new Way();
  try {
    return way.follow(cString(path).subarray(0, -1), check);
  } finally {
    way.close();
  }
}

/** The directories that lead to where a walk is, all open. */
class Way {
  readonly #directories: number[] = [];
  readonly #status = new FileStatus();
  #links = 0;

  /** @returns the last directory, which is the caller's to close, or -errno */
  follow(path: Uint8Array, check: LinkCheck): number {
    const rest = this.#start(path);
    for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
      const failed = this.#isUp(name) ? this.#up() : this.#down(name, rest, check);
      if (failed < 0) return failed;
    }
    return this.#directories.pop() ?? -errno.ENOENT;
  }

  close(): void {
    for (const directory of this.#directories.splice(0)) close(directory);
  }

  get #here(): number {
    return this.#directories.at(-1) ?? AT_FDCWD;
  }

  /** @returns the components of a path, which starts at the root when it is absolute */
  #start(path: Uint8Array): Uint8Array[] {
    if (path[0] === SLASH) {
      this.close();
      this.#directories.push(openat(AT_FDCWD, cString('/'), O_PATH | O_DIRECTORY, 0));
    }
    return components(path);
  }

  #isUp(name: Uint8Array): boolean {
    return Buffer.compare(name, UP) === 0;
  }

  #up(): number {
    if (this.#directories.length > 1) return close(this.#directories.pop() ?? -1);
    return this.#replace(openat(this.#here, UP, O_PATH | O_DIRECTORY, 0));
  }

  /** Into a directory, or to where a link leads: `rest` then begins with its target. */
  #down(name: Uint8Array, rest: Uint8Array[], check: LinkCheck): number {
    // O_DIRECTORY has an automount point mounted
    const directory = openat(this.#here, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
    if (directory >= 0) return this.#directories.push(directory);
    if (directory !== -errno.ENOTDIR && directory !== -errno.ELOOP) return directory;
    const link = openat(this.#here, name, O_PATH | O_NOFOLLOW, 0);
    if (link < 0) return link;
    try {
      const failed = fstat(link, this.#status);
      if (failed < 0) return failed;
      if ((this.#status.mode & S_IFMT) !== S_IFLNK) return -errno.ENOTDIR;
      if (++this.#links > MAX_LINKS) return -errno.ELOOP;
      if (isMagic(link)) return this.#jump(name);
      const text = Buffer.from(name.subarray(0, -1)).toString();
      check(text, this.#status.words[FileStatus.UID] ?? 0, this.#directories);
      return this.#redirect(link, rest);
    } finally {
      close(link);
    }
  }

  /** Links of a procfs are the kernel's, and the target of a magic one is no path: only the kernel can follow it. */
  #jump(name: Uint8Array): number {
    const target = openat(this.#here, name, O_PATH | O_DIRECTORY, 0);
    if (target < 0) return target;
    this.close();
    return this.#directories.push(target);
  }

  #redirect(link: number, rest: Uint8Array[]): number {
    const target = stableMemory(MAX_TARGET);
    const length = readlinkOf(link, target, MAX_TARGET);
    if (length < 0) return length;
    rest.unshift(...this.#start(target.subarray(0, length)));
    return 0;
  }

  #replace(directory: number): number {
    if (directory < 0) return directory;
    close(this.#directories.pop() ?? -1);
    return this.#directories.push(directory);
  }
}

function isMagic(link: number): boolean {
  const status = new FileSystemStatus();
  return fstatfs(link, status) >= 0 && status.type === PROC_SUPER_MAGIC;
}

/** The names in a path, each with its final NUL. */
function components(path: Uint8Array): Uint8Array[] {
  const names: Uint8Array[] = [];
  for (let start = 0; start < path.length;) {
    const slash = path.indexOf(SLASH, start);
    const end = slash < 0 ? path.length : slash;
    const name = stableMemory(end - start + 1);
    name.set(path.subarray(start, end));
    if (end > start && !(end === start + 1 && path[start] === 0x2e)) names.push(name);
    start = end + 1;
  }
  return names;
}
