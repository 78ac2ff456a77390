import type { ByteSpan } from '../../proxy-protocol/frame.js';
import * as errno from '../../abi/errno.js';
import {
  AT_FDCWD,
  O_DIRECTORY,
  O_PATH,
  openat,
  openResolving,
  RESOLVE_NO_MAGICLINKS,
} from '../../syscalls/files.js';
import { type InodeCalls, ofLinks } from '../../syscalls/inode-calls.js';
import { addressOf, type Pointer } from '../../syscalls/libc.js';
import { cString, stableMemory } from '../../syscalls/memory.js';
import type { RequestScope } from './request-scope.js';

/** A path with its NUL, as the kernel takes it: limits.h. */
export const PATH_MAX = 4096;
/** A string of the wire has a 16-bit length. */
export const MAX_STRING_BYTES = 65_535;

export const SLASH = 0x2f;
export const DOT = 0x2e;
export const HERE = cString('.');

const openAnywhere = openResolving(RESOLVE_NO_MAGICLINKS);

/**
 * Bytes of a request to paths that the kernel takes: NUL-terminated, in memory that does not move.
 *
 * A path that is longer than the kernel's PATH_MAX is walked in pieces with chdir(2); what is left of it is relative
 * to the working directory of the request.
 */
export class PathResolver {
  /** What takes a path of `resolve`. */
  readonly calls: InodeCalls = ofLinks;
  readonly #first = stableMemory(MAX_STRING_BYTES + 1);
  readonly #second = stableMemory(MAX_STRING_BYTES + 1);
  readonly #data = stableMemory(MAX_STRING_BYTES + 1);
  readonly #firstAddress = addressOf(this.#first);
  readonly #secondAddress = addressOf(this.#second);
  readonly #dataAddress = addressOf(this.#data);
  protected readonly scope: RequestScope;
  #oldDirectory = AT_FDCWD;

  constructor(scope: RequestScope) {
    this.scope = scope;
  }

  /** The directory that a path of `resolveOld` is relative to, for the *at calls. */
  get oldDirectory(): number {
    return this.#oldDirectory;
  }

  /** The path of an inode, or -errno. */
  resolve(path: ByteSpan): Pointer | number {
    return this.resolveToOpen(path);
  }

  /**
   * The path of a name that is made, moved or removed.
   *
   * @param _makesDirectory whether a name that is not there may have slashes behind it: mkdir(2)
   */
  resolveName(path: ByteSpan, _makesDirectory = false): Pointer | number {
    return this.resolveToOpen(path);
  }

  /** As `resolve`, for a call that follows a symbolic link at the end of its path. */
  resolveFollowing(path: ByteSpan): Pointer | number {
    return this.resolveToOpen(path);
  }

  /** As `resolve`, for `open`. */
  resolveToOpen(path: ByteSpan): Pointer | number {
    const rest = this.walk(path);
    return rest === this.#first ? this.#firstAddress : rest;
  }

  /** The first of two paths: what is left of a long one is relative to `oldDirectory`. */
  resolveOld(path: ByteSpan): Pointer | number {
    const rest = this.walkOld(path);
    const left = typeof rest === 'number' ? rest : this.leaveOld(rest);
    return left === this.#second ? this.#secondAddress : left;
  }

  /** Opens a path of `resolveToOpen` with flags of open(2). @returns the descriptor or -errno */
  open(path: Pointer, flags: number, mode: number): number {
    return openAnywhere(AT_FDCWD, path, flags, mode);
  }

  /**
   * Opens with O_PATH whatever a path of `resolveToOpen` leads to.
   *
   * @param flags O_NOFOLLOW for a symbolic link at its end, else 0
   */
  locate(path: Pointer, flags: number): number {
    return openAnywhere(AT_FDCWD, path, O_PATH | flags, 0);
  }

  /** A string that is not a path of the export: an attribute's name, a link's target. */
  string(text: ByteSpan): Pointer {
    copy(text, this.#second);
    return this.#secondAddress;
  }

  /** The value of an attribute. */
  data(value: ByteSpan): Pointer {
    copy(value, this.#data);
    return this.#dataAddress;
  }

  /** Makes a directory the working directory. @returns 0 or -errno */
  protected enter(directory: Uint8Array): number {
    return this.scope.workInPath(directory);
  }

  /** The bytes of a path, or what is left of them after a walk, or -errno. */
  protected walk(path: ByteSpan): Uint8Array | number {
    return this.#walk(path, this.#first);
  }

  /** The same for the first of two paths. */
  protected walkOld(path: ByteSpan): Uint8Array | number {
    return this.#walk(path, this.#second);
  }

  /** Keeps the directory that the rest of the first path is relative to. */
  protected leaveOld(rest: Uint8Array): Uint8Array | number {
    this.#oldDirectory = AT_FDCWD;
    // a relative path, too: the second path may make another directory the working directory
    if (this.scope.atRoot && rest[0] === SLASH) return rest;
    const directory = openat(AT_FDCWD, HERE, O_PATH | O_DIRECTORY, 0);
    if (directory < 0) return directory;
    this.#oldDirectory = this.scope.hold(directory);
    return rest;
  }

  #walk(path: ByteSpan, memory: Uint8Array): Uint8Array | number {
    const stranded = this.scope.toRoot();
    copy(path, memory);
    if (stranded < 0 && memory[0] !== SLASH) return stranded;
    return path.length < PATH_MAX ? memory : this.#walkLong(memory, path.length);
  }

  /** Enters the directories of a path until what is left of it is short enough. @returns that, or -errno */
  #walkLong(path: Uint8Array, length: number): Uint8Array | number {
    let start = 0;
    // `..` could climb past a directory that somebody moved out of the export while we stand in it
    if (hasDotDot(path, length)) return -errno.ENAMETOOLONG;
    while (length - start >= PATH_MAX) {
      const cut = path.lastIndexOf(SLASH, start + PATH_MAX - 1);
      if (cut <= start) return -errno.ENAMETOOLONG;
      path[cut] = 0;
      const failed = this.enter(path.subarray(start));
      if (failed < 0) return failed;
      start = cut + 1;
      while (path[start] === SLASH) start++;
    }
    // a path that ended in the cut slash names the directory itself
    return start >= length ? HERE : path.subarray(start, length + 1);
  }
}

/** A resolver whose paths are bytes, and names in the working directory: the mapped models look at them. */
export interface ByteResolver extends PathResolver {
  resolve(path: ByteSpan): Uint8Array | number;
  resolveToOpen(path: ByteSpan): Uint8Array | number;
  resolveName(path: ByteSpan): Uint8Array | number;
  resolveOld(path: ByteSpan): Uint8Array | number;
}

/** Up to this length a loop is faster than `set`, and it allocates no view. */
const SHORT = 256;

function copy(span: ByteSpan, memory: Uint8Array): void {
  const { frame, start, length } = span;
  if (length <= SHORT) {
    for (let at = 0; at < length; at++) memory[at] = frame[start + at] ?? 0;
  } else {
    memory.set(frame.subarray(start, start + length));
  }
  memory[length] = 0;
}

function hasDotDot(path: Uint8Array, length: number): boolean {
  for (let at = 0; at + 1 < length; at++) {
    const begins = at === 0 || path[at - 1] === SLASH;
    const ends = at + 2 === length || path[at + 2] === SLASH;
    if (begins && ends && path[at] === DOT && path[at + 1] === DOT) return true;
  }
  return false;
}
