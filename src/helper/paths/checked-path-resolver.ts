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
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from '../../syscalls/files.js';
import type { Pointer } from '../../syscalls/libc.js';
import { cString } from '../../syscalls/memory.js';
import type { OwnDescriptors } from './own-descriptors.js';
import { ProcfsGuard } from './procfs-guard.js';
import { DOT, HERE, PathResolver, SLASH } from './path-resolver.js';
import type { RequestScope } from './request-scope.js';

const ROOT = cString('/');
const openInRoot = openResolving(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
const openBeneath = openResolving(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
const openName = openResolving(RESOLVE_NO_MAGICLINKS);
/** How often a walk is tried again during which the kernel saw a directory of it move. */
const MOVED_ATTEMPTS = 20;

/**
 * For an export that the change of root alone does not contain, or that is not the root: it has no mount of its own, so
 * that `..` in a directory that is moved out of it at the wrong moment leads outside, or there is a procfs inside, whose
 * magic links do.
 *
 * Every directory on the way is entered with openat2(2), which follows no magic link and never leaves the root, and
 * only the last component is left to the call itself. Files of a procfs are not opened: `mem` is our own memory.
 */
export class CheckedPathResolver extends PathResolver {
  private readonly root: number;
  private readonly own: OwnDescriptors;
  readonly #procfs = new ProcfsGuard();

  /** @param root an O_PATH descriptor of the export */
  constructor(scope: RequestScope, root: number, own: OwnDescriptors) {
    super(scope);
    this.root = root;
    this.own = own;
  }

  override resolve(path: ByteSpan): Pointer | number {
    const rest = this.walk(path);
    // with a slash behind it the call itself would follow a link at the end
    if (typeof rest !== 'number' && endsInSlash(rest)) return this.#located(rest, O_PATH | O_DIRECTORY);
    return this.#lastComponent(rest);
  }

  override resolveName(path: ByteSpan, makesDirectory = false): Uint8Array | number {
    return this.#directoryName(this.#lastComponent(this.walk(path)), makesDirectory);
  }

  override resolveOld(path: ByteSpan): Uint8Array | number {
    const rest = this.#directoryName(this.#lastComponent(this.walkOld(path)), false);
    return typeof rest === 'number' ? rest : this.leaveOld(rest);
  }

  override resolveFollowing(path: ByteSpan): Pointer | number {
    const rest = this.walk(path);
    return typeof rest === 'number' ? rest : this.#located(rest, O_PATH);
  }

  override open(path: Pointer, flags: number, mode: number): number {
    const descriptor = this.#openInside(path, flags, mode);
    if (descriptor < 0 || (flags & O_PATH) === 0 || (flags & O_DIRECTORY) !== 0) return descriptor;
    return this.#procfs.refuse(descriptor);
  }

  override locate(path: Pointer, flags: number): number {
    return this.#openInside(path, O_PATH | flags, 0);
  }

  protected override enter(directory: Uint8Array): number {
    const descriptor = this.#openInside(directory, O_PATH | O_DIRECTORY, 0);
    if (descriptor < 0) return descriptor;
    const failed = this.scope.workIn(descriptor);
    close(descriptor);
    return failed;
  }

  #openInside(path: Pointer, flags: number, mode: number): number {
    const { atRoot } = this.scope;
    const open = atRoot ? openInRoot : openBeneath;
    const from = atRoot ? this.root : AT_FDCWD;
    let descriptor = -errno.EAGAIN;
    for (let attempt = 0; descriptor === -errno.EAGAIN && attempt < MOVED_ATTEMPTS; attempt++) {
      descriptor = open(from, path, flags, mode);
    }
    return descriptor;
  }

  /**
   * Opens what the path leads to. The call gets it by its name among our own descriptors, for which it needs no right to
   * search it, as it would to enter it.
   */
  #located(path: Uint8Array, flags: number): Pointer | number {
    const located = this.open(path, flags, 0);
    if (located < 0) return located;
    this.scope.hold(located);
    const failed = this.scope.workIn(this.own.directory);
    return failed < 0 ? failed : this.own.name(located, (flags & O_DIRECTORY) !== 0);
  }

  /** Enters the directory of a path, of which only the last component, with the slashes behind it, is left. */
  #lastComponent(path: Uint8Array | number): Uint8Array | number {
    if (typeof path === 'number') return path;
    const length = path.indexOf(0);
    if (length === 0) return path;
    let end = length;
    while (end > 0 && path[end - 1] === SLASH) end--;
    const slash = end === 0 ? -1 : path.lastIndexOf(SLASH, end - 1);
    const isDots = path.subarray(slash + 1, end).every((byte) => byte === DOT) && end - slash <= 3;
    if (isDots) return this.#entered(path, HERE);
    if (slash < 0) return path;
    path[slash] = 0;
    return this.#entered(slash === 0 ? ROOT : path, path.subarray(slash + 1));
  }

  /** Takes the slashes off a name, which may have some only if it is, or becomes, a directory. */
  #directoryName(name: Uint8Array | number, makesDirectory: boolean): Uint8Array | number {
    if (typeof name === 'number' || !endsInSlash(name)) return name;
    name[name.indexOf(SLASH)] = 0;
    const descriptor = openName(AT_FDCWD, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
    if (descriptor >= 0) close(descriptor);
    else if (descriptor !== -errno.ENOENT || !makesDirectory) return descriptor;
    return name;
  }

  #entered(directory: Uint8Array, rest: Uint8Array): Uint8Array | number {
    const failed = this.enter(directory);
    return failed < 0 ? failed : rest;
  }
}

function endsInSlash(path: Uint8Array): boolean {
  const length = path.indexOf(0);
  return length > 0 && path[length - 1] === SLASH;
}
