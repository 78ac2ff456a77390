import type { ByteSpan } from '../../proxy-protocol/frame.js';
import * as errno from '../../abi/errno.js';
import {
  AT_FDCWD,
  close,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  openResolving,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from '../../syscalls/files.js';
import type { Pointer } from '../../syscalls/libc.js';
import { stableMemory } from '../../syscalls/memory.js';
import { DOT, HERE, MAX_STRING_BYTES, PATH_MAX, PathResolver, SLASH } from './path-resolver.js';
import { ProcfsGuard } from './procfs-guard.js';
import type { RequestScope } from './request-scope.js';

const openInside = openResolving(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);

/**
 * Paths of an export whose symbolic links are the guest's own, kept in files: no link of the host is ever followed.
 *
 * Every path becomes the name of an object in its directory, which is made the working directory; the export itself is
 * `HERE`. As nothing is followed, `.` and `..` are taken out of the text alone.
 */
export class NameResolver extends PathResolver {
  readonly #path = stableMemory(MAX_STRING_BYTES + 1);
  readonly #name = stableMemory(MAX_STRING_BYTES + 1);
  readonly #oldName = stableMemory(MAX_STRING_BYTES + 1);
  private readonly hidden: readonly Uint8Array[];
  readonly #procfs = new ProcfsGuard();

  /** @param hidden names that the client has no use of, anywhere: ENOENT, and EINVAL for making one */
  constructor(scope: RequestScope, hidden: readonly Uint8Array[]) {
    super(scope);
    this.hidden = hidden;
  }

  /** Always the bytes: the mapped models look at them. */
  override resolve(path: ByteSpan): Uint8Array | number {
    return this.resolveToOpen(path);
  }

  override resolveToOpen(path: ByteSpan): Uint8Array | number {
    return this.#locate(path, this.#name, errno.ENOENT);
  }

  override resolveName(path: ByteSpan): Uint8Array | number {
    return this.#locate(path, this.#name, errno.EINVAL);
  }

  override resolveOld(path: ByteSpan): Uint8Array | number {
    const name = this.#locate(path, this.#oldName, errno.ENOENT);
    return typeof name === 'number' ? name : this.leaveOld(name);
  }

  override open(path: Pointer, flags: number, mode: number): number {
    const descriptor = openInside(AT_FDCWD, path, flags, mode);
    if (descriptor < 0 || (flags & O_PATH) === 0 || (flags & O_DIRECTORY) !== 0) return descriptor;
    return this.#procfs.refuse(descriptor);
  }

  override locate(path: Pointer): number {
    return openInside(AT_FDCWD, path, O_PATH | O_NOFOLLOW, 0);
  }

  protected override enter(directory: Uint8Array): number {
    const descriptor = openInside(AT_FDCWD, directory, O_PATH | O_DIRECTORY, 0);
    if (descriptor < 0) return descriptor;
    const failed = this.scope.workIn(descriptor);
    close(descriptor);
    return failed;
  }

  /** @param refusal what a path with a hidden name is answered with */
  #locate(path: ByteSpan, name: Uint8Array, refusal: number): Uint8Array | number {
    const stranded = this.scope.toRoot();
    if (stranded < 0) return stranded;
    if (path.length === 0) return -errno.ENOENT;
    const length = this.#normalize(path);
    if (length < 0) return -refusal;
    if (length === 0) return HERE;
    const slash = this.#path.lastIndexOf(SLASH, length - 1);
    for (let at = slash + 1; at <= length; at++) name[at - slash - 1] = this.#path[at] ?? 0;
    const failed = slash < 0 ? 0 : this.#walk(slash);
    return failed < 0 ? failed : name;
  }

  /** Enters the directory of so many bytes of the path, in pieces that the kernel takes. */
  #walk(length: number): number {
    const path = this.#path;
    path[length] = 0;
    let start = 0;
    while (length - start >= PATH_MAX) {
      const cut = path.lastIndexOf(SLASH, start + PATH_MAX - 1);
      if (cut <= start) return -errno.ENAMETOOLONG;
      path[cut] = 0;
      const failed = this.enter(path.subarray(start));
      if (failed < 0) return failed;
      start = cut + 1;
    }
    return this.enter(start === 0 ? path : path.subarray(start));
  }

  /** Writes the path without slashes at its ends, empty components, `.` and `..`. @returns its length, -1: hidden */
  #normalize({ frame, start, length }: ByteSpan): number {
    const path = this.#path;
    const end = start + length;
    let written = 0;
    for (let at = start; at < end;) {
      let next = at;
      while (next < end && frame[next] !== SLASH) next++;
      const size = next - at;
      if (size === 2 && frame[at] === DOT && frame[at + 1] === DOT) {
        written = written === 0 ? 0 : Math.max(path.lastIndexOf(SLASH, written - 1), 0);
      } else if (size > 1 || (size === 1 && frame[at] !== DOT)) {
        if (this.#isHidden(frame, at, size)) return -1;
        if (written > 0) path[written++] = SLASH;
        for (let from = at; from < next; from++) path[written++] = frame[from] ?? 0;
      }
      at = next + 1;
    }
    path[written] = 0;
    return written;
  }

  #isHidden(frame: Uint8Array, start: number, size: number): boolean {
    for (const name of this.hidden) {
      let same = 0;
      while (same < size && name[same] === frame[start + same]) same++;
      if (same === size && name[size] === 0) return true;
    }
    return false;
  }
}
