import * as errno from '../../abi/errno.js';
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
export type Reopen = (file: OpenFile) => Promise<number> | number;

/** Where the locks of an owner are. */
interface Holder {
  readonly file: OpenFile;
  readonly descriptor: number;
  /** Whether that was opened for the locks alone. */
  readonly isOwn: boolean;
}

const keyOf = ({ inode, process, client }: LockOwner): string =>
  `${inode} ${process} ${Buffer.from(client).toString('latin1')}`;

const isWhole = ({ start, length }: FileLock): boolean => Number(start) === 0 && Number(length) === 0;

/**
 * Locks that hold between guests and against the host: those of open file descriptions, fcntl(2). Such a lock belongs to
 * a description where the guest's belongs to a process, so each process that locks a file has a description for it: that
 * of the fid that it locks first, or one more where another process has that one. A process that has unlocked all of the
 * file, as Linux does when one closes it, has none any more.
 */
export class Locks {
  readonly #holders = new Map<string, Holder>();
  /** The owners whose holder is a file, or was opened from it. */
  readonly #owners = new Map<OpenFile, Set<string>>();
  readonly #reopen: Reopen;
  #opened = 0;

  constructor(reopen: Reopen) {
    this.#reopen = reopen;
  }

  /** How many processes have locks, counted for each file. */
  get size(): number {
    return this.#holders.size;
  }

  /** How many descriptors are open for locks alone. */
  get opened(): number {
    return this.#opened;
  }

  /** Locks or unlocks without waiting. @returns 0, or -errno: EAGAIN where somebody else has it, ENOLCK */
  async lock(file: OpenFile, owner: LockOwner, lock: FileLock): Promise<number> {
    const key = keyOf(owner);
    const known = this.#holders.get(key);
    if (known === undefined && lock.type === F_UNLCK) return 0;
    const holder = known ?? (await this.#describe(file, key));
    if (typeof holder === 'number') return holder;
    const failed = lockFile(holder.descriptor, lock);
    const isOver = lock.type === F_UNLCK ? isWhole(lock) : known === undefined && failed < 0;
    if (isOver) this.#release(key, holder);
    return failed;
  }

  /** @returns what is in the way of a lock, `undefined` for nothing, or -errno */
  conflict(file: OpenFile, owner: LockOwner, lock: FileLock): FileLock | undefined | number {
    return conflictingLock(this.#holders.get(keyOf(owner))?.descriptor ?? file.descriptor, lock);
  }

  /** The file is closed, and with it what was opened for its locks. */
  closed(file: OpenFile): void {
    for (const key of [...(this.#owners.get(file) ?? [])]) {
      const holder = this.#holders.get(key);
      if (holder !== undefined) this.#release(key, holder);
    }
  }

  async #describe(file: OpenFile, key: string): Promise<Holder | number> {
    if (file.lockOwner === undefined) {
      file.lockOwner = key;
      return this.#hold(key, { file, descriptor: file.descriptor, isOwn: false });
    }
    const descriptor = await this.#reopen(file);
    if (descriptor < 0) return descriptor;
    if (file.isClosed) {
      close(descriptor);
      return -errno.EBADF;
    }
    this.#opened++;
    return this.#hold(key, { file, descriptor, isOwn: true });
  }

  #hold(key: string, holder: Holder): Holder {
    this.#holders.set(key, holder);
    const owners = this.#owners.get(holder.file) ?? new Set();
    this.#owners.set(holder.file, owners.add(key));
    return holder;
  }

  #release(key: string, { file, descriptor, isOwn }: Holder): void {
    this.#holders.delete(key);
    const owners = this.#owners.get(file);
    owners?.delete(key);
    if (owners?.size === 0) this.#owners.delete(file);
    if (isOwn) {
      this.#opened--;
      close(descriptor);
    } else file.lockOwner = undefined;
  }
}
