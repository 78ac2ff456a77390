import type { ChildProcess } from 'node:child_process';
import { AT_FDCWD, close, O_DIRECTORY, O_PATH, openat } from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import { FileStatus, identityOf, isUniqueMount, mountNumberAndType } from '../syscalls/status.js';

/** Of so many helpers the mount stays known, since the next one is told all of them by its command line, ... */
const MAX_MOUNTS = 4096;
/** ... and of so many where that takes a descriptor of each. */
const MAX_DESCRIPTORS = 64;

interface Place {
  readonly file: string;
  readonly mount: number;
}

/** A mount of a helper's own. */
interface OwnMount {
  readonly mount: number;
  /** Keeps the number from being another mount's, where it is not unique: before Linux 6.8. */
  readonly descriptor: number | undefined;
}

/**
 * What the helpers of one client serve, one after the other: always the same directory.
 *
 * The files that the server has open are of the mount of the helper that opened them. The next helper takes them for its
 * own if it knows that mount's number; nobody else can have a descriptor of it. A mount that is in no namespace any more
 * lives as long as a descriptor of it, and keeps its number.
 */
export class ServedExport {
  readonly #path: Uint8Array;
  #file: string | undefined;
  readonly #mounts: OwnMount[] = [];

  constructor(path: string) {
    this.#path = cString(path);
  }

  /** The numbers of the mounts that helpers had. */
  get formerMounts(): readonly number[] {
    return this.#mounts.map(({ mount }) => mount);
  }

  /**
   * Takes note of a helper that is ready, and has got no request yet.
   *
   * @returns whether it serves what the first one does
   */
  add({ pid, exitCode, signalCode }: ChildProcess): boolean {
    const found = openDirectory(this.#path);
    if (found < 0) return false;
    const place = lookAt(found);
    close(found);
    this.#file ??= place.file;
    if (place.file !== this.#file) return false;
    // the number of one that has ended may be another's
    if (exitCode === null && signalCode === null) this.#keepMount(`/proc/${pid}/root`, place);
    return true;
  }

  #keepMount(path: string, host: Place): void {
    const descriptor = openDirectory(cString(path));
    if (descriptor < 0) return;
    const { file, mount } = lookAt(descriptor);
    // without a mount of its own it has the host's, of which anybody may have descriptors
    const isOwn = file === host.file && mount > 0 && mount !== host.mount;
    const isHeld = isOwn && !isUniqueMount(mount);
    if (!isHeld) close(descriptor);
    if (isOwn) this.#mounts.push({ mount, descriptor: isHeld ? descriptor : undefined });
    if (this.#mounts.length > (isHeld ? MAX_DESCRIPTORS : MAX_MOUNTS)) release(this.#mounts.shift());
  }

  close(): void {
    for (const mount of this.#mounts.splice(0)) release(mount);
  }
}

function release(mount: OwnMount | undefined): void {
  if (mount?.descriptor !== undefined) close(mount.descriptor);
}

function openDirectory(path: Uint8Array): number {
  return openat(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);
}

function lookAt(directory: number): Place {
  return { file: identityOf(directory), mount: mountNumberAndType(directory, new FileStatus()) };
}
