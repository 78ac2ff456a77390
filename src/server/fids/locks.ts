import { conflictingLock, F_UNLCK, type FileLock, lockFile } from '../../syscalls/file-data.js';
import { close } from '../../syscalls/files.js';
import type { OpenFile } from './open-file.js';

/** A process of the guest, which is whose a lock is. */
export interface LockOwner {
  readonly inode: number | bigint;
  readonly process: number;
  readonly client: Uint8Array;
}

/** Opens a file once more: an open file description of its own. @returns a descriptor, or -errno */
export type Reopen = (file: OpenFile) => Promise<number>;

const keyOf = ({ inode, process, client }: LockOwner): string =>
  `${inode} ${process} ${Buffer.from(client).toString('latin1')}`;

/**
 * Locks that hold between guests and against the host: those of open file descriptions, fcntl(2). Such a lock belongs to
 * a description where the guest's belongs to a process, so each process that locks a file has a description for it: that
 * of the fid that it locks first, or one more where another process has that one.
 */
export class Locks {
  readonly #descriptors = new Map<string, number>();
  /** Descriptions that were opened for locks alone, by the owner of the file that they were opened from. */
  readonly #opened = new Map<OpenFile, Map<string, number>>();
  readonly #reopen: Reopen;

  constructor(reopen: Reopen) {
    this.#reopen = reopen;
  }

  /** Locks or unlocks without waiting. @returns 0, or -errno: EAGAIN where somebody else has it */
  async lock(file: OpenFile, owner: LockOwner, lock: FileLock): Promise<number> {
    const key = keyOf(owner);
    const known = this.#descriptors.get(key);
    if (known === undefined && lock.type === F_UNLCK) return 0;
    const descriptor = known ?? (await this.#describe(file, key));
    return descriptor < 0 ? descriptor : lockFile(descriptor, lock);
  }

  /** @returns what is in the way of a lock, `undefined` for nothing, or -errno */
  conflict(file: OpenFile, owner: LockOwner, lock: FileLock): FileLock | undefined | number {
    return conflictingLock(this.#descriptors.get(keyOf(owner)) ?? file.descriptor, lock);
  }

  /** The file is closed, and with it what was opened for its locks. */
  closed(file: OpenFile): void {
    if (file.lockOwner !== undefined) this.#descriptors.delete(file.lockOwner);
    for (const [key, descriptor] of this.#opened.get(file) ?? []) {
      this.#descriptors.delete(key);
      close(descriptor);
    }
    this.#opened.delete(file);
  }

  async #describe(file: OpenFile, key: string): Promise<number> {
    if (file.lockOwner === undefined) {
      file.lockOwner = key;
      this.#descriptors.set(key, file.descriptor);
      return file.descriptor;
    }
    const descriptor = await this.#reopen(file);
    if (descriptor < 0) return descriptor;
    const opened = this.#opened.get(file) ?? new Map<string, number>();
    this.#opened.set(file, opened.set(key, descriptor));
    this.#descriptors.set(key, descriptor);
    return descriptor;
  }
}
