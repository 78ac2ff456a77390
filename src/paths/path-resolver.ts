import type { ByteSpan } from '../protocol/frame.js';
import { errno } from '../syscalls/errno.js';
import { AT_FDCWD, chdir, close, O_DIRECTORY, O_PATH, openat } from '../syscalls/files.js';
import { cString, stableMemory } from '../syscalls/memory.js';

/** A path with its NUL, as the kernel takes it: limits.h. */
const PATH_MAX = 4096;
/** A string of the wire has a 16-bit length. */
const MAX_STRING_BYTES = 65_535;

const SLASH = 0x2f;
const DOT = 0x2e;
const ROOT = cString('/');
const HERE = cString('.');

/**
 * Bytes of a request to paths that the kernel takes: NUL-terminated, in memory that does not move.
 *
 * A path that is longer than the kernel's PATH_MAX is walked in pieces with chdir(2); what is left of it is relative
 * to the working directory. Nothing but this class uses the working directory, which is the root otherwise.
 */
export class PathResolver {
  readonly #first = stableMemory(MAX_STRING_BYTES + 1);
  readonly #second = stableMemory(MAX_STRING_BYTES + 1);
  #atRoot = true;
  #directory = AT_FDCWD;

  /** The directory that a path of `resolveOld` is relative to, for the *at calls. */
  get oldDirectory(): number {
    return this.#directory;
  }

  /** A path, or -errno. To be followed by `done` when the operation is over. */
  resolve(path: ByteSpan): Uint8Array | number {
    return this.#resolve(path, this.#first);
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
    return result;
  }

  #toRoot(): void {
    const failed = chdir(ROOT);
    if (failed < 0) throw new Error('cannot return to the root of the export');
    this.#atRoot = true;
  }

  #resolve(path: ByteSpan, memory: Uint8Array): Uint8Array | number {
    copy(path, memory);
    return path.length < PATH_MAX ? memory : this.#walk(memory, path.length);
  }

  #walk(path: Uint8Array, length: number): Uint8Array | number {
    // `..` could climb past a directory that somebody moved out of the export while we stand in it
    if (hasDotDot(path, length)) return -errno.ENAMETOOLONG;
    let start = 0;
    while (length - start >= PATH_MAX) {
      const cut = path.lastIndexOf(SLASH, start + PATH_MAX - 1);
      if (cut <= start) return this.#abandon(errno.ENAMETOOLONG);
      path[cut] = 0;
      const failed = chdir(path.subarray(start));
      if (failed < 0) return this.#abandon(-failed);
      this.#atRoot = false;
      start = cut + 1;
      while (path[start] === SLASH) start++;
    }
    // a path that ended in the cut slash names the directory itself
    return start >= length ? HERE : path.subarray(start);
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
