import type { ByteSpan } from '../protocol/frame.js';
import { errno } from '../syscalls/errno.js';
import {
  AT_FDCWD,
  chdir,
  close,
  fchdir,
  O_DIRECTORY,
  O_PATH,
  openat,
  openOrdinary,
} from '../syscalls/files.js';
import { cString, stableMemory } from '../syscalls/memory.js';

/** A path with its NUL, as the kernel takes it: limits.h. */
const PATH_MAX = 4096;
/** A string of the wire has a 16-bit length. */
const MAX_STRING_BYTES = 65_535;

const SLASH = 0x2f;
const DOT = 0x2e;
const NONE = -1;
const ROOT = cString('/');
const HERE = cString('.');

/**
 * Bytes of a request to paths that the kernel takes: NUL-terminated, in memory that does not move.
 *
 * A path that is longer than the kernel's PATH_MAX is walked in pieces with chdir(2); what is left of it is relative
 * to the working directory. Nothing but this class uses the working directory, which is the root otherwise.
 */
export class PathResolver {
  /** Whether there may be magic links on the way, which are never followed: see `#enter`. */
  readonly #careful: boolean;
  readonly #ownDescriptors: number;
  readonly #first = stableMemory(MAX_STRING_BYTES + 1);
  readonly #second = stableMemory(MAX_STRING_BYTES + 1);
  #atRoot = true;
  #followed = NONE;
  #directory = AT_FDCWD;

  /**
   * @param ownDescriptors an O_PATH descriptor of /proc/self/fd
   * @param careful whether a procfs is mounted inside the export
   */
  constructor(ownDescriptors: number, careful: boolean) {
    this.#ownDescriptors = ownDescriptors;
    this.#careful = careful;
  }

  /** The directory that a path of `resolveOld` is relative to, for the *at calls. */
  get oldDirectory(): number {
    return this.#directory;
  }

  /** A path, or -errno. To be followed by `done` when the operation is over. */
  resolve(path: ByteSpan): Uint8Array | number {
    return this.#resolve(path, this.#first);
  }

  /**
   * As `resolve`, for a call that follows a symbolic link at the end of its path. Where there are magic links, what
   * the path leads to is opened without following any, and the call gets it by its name among our own descriptors.
   */
  resolveFollowing(path: ByteSpan): Uint8Array | number {
    const rest = this.#resolve(path, this.#first);
    if (!this.#careful || typeof rest === 'number') return rest;
    const followed = openOrdinary(rest, O_PATH, 0);
    if (followed < 0) return this.done(followed);
    this.#followed = followed;
    const failed = fchdir(this.#ownDescriptors);
    if (failed < 0) return this.done(failed);
    this.#atRoot = false;
    return cString(String(followed));
  }

  /** The first of two paths: what is left of a long one is relative to `oldDirectory`. */
  resolveOld(path: ByteSpan): Uint8Array | number {
    const rest = this.#resolve(path, this.#second);
    if (typeof rest === 'number' || this.#atRoot) return rest;
    const directory = openat(AT_FDCWD, HERE, O_PATH | O_DIRECTORY, 0);
    this.#toRoot();
    if (directory < 0) return directory;
    this.#directory = directory;
    return rest;
  }

  /** A string that is not a path of the export: an attribute's name, a link's target. */
  string(text: ByteSpan): Uint8Array {
    return copy(text, this.#second);
  }

  /** Ends an operation: back to the root. @returns the operation's result, which it is given */
  done(result: number): number {
    if (!this.#atRoot) this.#toRoot();
    if (this.#directory !== AT_FDCWD) {
      close(this.#directory);
      this.#directory = AT_FDCWD;
    }
    if (this.#followed !== NONE) {
      close(this.#followed);
      this.#followed = NONE;
    }
    return result;
  }

  #toRoot(): void {
    const failed = chdir(ROOT);
    if (failed < 0) throw new Error('cannot return to the root of the export');
    this.#atRoot = true;
  }

  #resolve(path: ByteSpan, memory: Uint8Array): Uint8Array | number {
    copy(path, memory);
    return path.length < PATH_MAX && !this.#careful ? memory : this.#walk(memory, path.length);
  }

  #walk(path: Uint8Array, length: number): Uint8Array | number {
    // `..` could climb past a directory that somebody moved out of the export while we stand in it
    if (length >= PATH_MAX && hasDotDot(path, length)) return -errno.ENAMETOOLONG;
    if (length === 0) return path;
    let start = 0;
    while (length - start >= PATH_MAX) {
      const cut = path.lastIndexOf(SLASH, start + PATH_MAX - 1);
      if (cut <= start) return this.#abandon(errno.ENAMETOOLONG);
      path[cut] = 0;
      const failed = this.#enter(path.subarray(start));
      if (failed < 0) return this.#abandon(-failed);
      start = cut + 1;
      while (path[start] === SLASH) start++;
    }
    // a path that ended in the cut slash names the directory itself
    const rest = start >= length ? HERE : path.subarray(start, length + 1);
    return this.#careful ? this.#lastComponent(rest) : rest;
  }

  /** Makes a directory the working directory. Where there are magic links, without following one. */
  #enter(directory: Uint8Array): number {
    if (!this.#careful) return this.#entered(chdir(directory));
    const descriptor = openOrdinary(directory, O_PATH | O_DIRECTORY, 0);
    if (descriptor < 0) return descriptor;
    const failed = this.#entered(fchdir(descriptor));
    close(descriptor);
    return failed;
  }

  #entered(result: number): number {
    if (result >= 0) this.#atRoot = false;
    return result;
  }

  /** Enters the directory of a path, of which only the last component, with the slashes behind it, is left. */
  #lastComponent(path: Uint8Array): Uint8Array | number {
    let end = path.length - 1;
    while (end > 0 && path[end - 1] === SLASH) end--;
    const slash = end === 0 ? -1 : path.lastIndexOf(SLASH, end - 1);
    const name = path.subarray(slash + 1, end);
    const isDots = name.length <= 2 && name.every((byte) => byte === DOT);
    if (isDots) {
      const failed = this.#enter(path);
      return failed < 0 ? this.#abandon(-failed) : HERE;
    }
    if (slash < 0) return path;
    path[slash] = 0;
    const failed = this.#enter(slash === 0 ? ROOT : path);
    return failed < 0 ? this.#abandon(-failed) : path.subarray(slash + 1);
  }

  #abandon(error: number): number {
    if (!this.#atRoot) this.#toRoot();
    return -error;
  }
}

/** Up to this length a loop is faster than `set`, and it allocates no view. */
const SHORT = 256;

function copy(span: ByteSpan, memory: Uint8Array): Uint8Array {
  const { frame, start, length } = span;
  if (length <= SHORT) {
    for (let at = 0; at < length; at++) memory[at] = frame[start + at] ?? 0;
  } else {
    memory.set(frame.subarray(start, start + length));
  }
  memory[length] = 0;
  return memory;
}

function hasDotDot(path: Uint8Array, length: number): boolean {
  for (let at = 0; at + 1 < length; at++) {
    const begins = at === 0 || path[at - 1] === SLASH;
    const ends = at + 2 === length || path[at + 2] === SLASH;
    if (begins && ends && path[at] === DOT && path[at + 1] === DOT) return true;
  }
  return false;
}
