import * as errno from '../abi/errno.js';
import { declare, declareInt, declareElsewhere } from './libc.js';
import { littleEndian, stableMemory } from './memory.js';

const libc = {
  preadv2: declare('preadv2', 'int', 'void *', 'int', 'int64', 'int'),
  pwritev2: declare('pwritev2', 'int', 'void *', 'int', 'int64', 'int'),
  lseek: declare('lseek', 'int', 'int64', 'int'),
  fcntl: declareInt('fcntl', 'int', 'int', 'void *'),
};

/** What may wait for a disk runs on a thread of libuv's pool. */
const pooled = {
  pread: declareElsewhere('pread', 'int', 'void *', 'int64', 'int64'),
  pwrite: declareElsewhere('pwrite', 'int', 'void *', 'int64', 'int64'),
  preadv: declareElsewhere('preadv', 'int', 'void *', 'int', 'int64'),
  pwritev: declareElsewhere('pwritev', 'int', 'void *', 'int', 'int64'),
  fsync: declareElsewhere('fsync', 'int'),
  fdatasync: declareElsewhere('fdatasync', 'int'),
};

const RWF_NOWAIT = 8;
const SEEK_SET = 0;

/** `struct iovec`, of one piece. */
class Piece {
  readonly bytes = stableMemory(16);
  readonly #view = new DataView(this.bytes.buffer);

  set(address: bigint, size: number): void {
    this.#view.setBigUint64(0, address, littleEndian);
    this.#view.setBigUint64(8, BigInt(size), littleEndian);
  }
}
const piece = new Piece();

/** What a call without waiting answers where it would have to wait, and where the file system cannot tell. */
const wouldWait = new Set([-errno.EAGAIN, -errno.EOPNOTSUPP]);

/**
 * Reads from an open file: at once what is in memory, else on another thread, so that nobody waits for somebody else's disk.
 *
 * @param address of memory that does not move, and stays until the promise settles
 * @returns bytes, 0 at the end, or -errno
 */
export function readData(
  descriptor: number,
  address: bigint,
  size: number,
  offset: number | bigint,
): number | Promise<number> {
  piece.set(address, size);
  const read = libc.preadv2(descriptor, piece.bytes, 1, offset, RWF_NOWAIT);
  return wouldWait.has(read) ? pooled.pread(descriptor, address, size, offset) : read;
}

/** Writes to an open file as `readData` reads. */
export function writeData(
  descriptor: number,
  address: bigint,
  size: number,
  offset: number | bigint,
): number | Promise<number> {
  piece.set(address, size);
  const written = libc.pwritev2(descriptor, piece.bytes, 1, offset, RWF_NOWAIT);
  return wouldWait.has(written) ? pooled.pwrite(descriptor, address, size, offset) : written;
}

/** An array of `struct iovec`, which stays as it is until the call has ended. */
export interface Vector {
  readonly bytes: Uint8Array;
  readonly count: number;
}

/** Reads into several places as `readData` does into one. */
export function readVector(
  descriptor: number,
  { bytes, count }: Vector,
  offset: number | bigint,
): number | Promise<number> {
  const read = libc.preadv2(descriptor, bytes, count, offset, RWF_NOWAIT);
  return wouldWait.has(read) ? pooled.preadv(descriptor, bytes, count, offset) : read;
}

/** Writes from several places as `readVector` reads. */
export function writeVector(
  descriptor: number,
  { bytes, count }: Vector,
  offset: number | bigint,
): number | Promise<number> {
  const written = libc.pwritev2(descriptor, bytes, count, offset, RWF_NOWAIT);
  return wouldWait.has(written) ? pooled.pwritev(descriptor, bytes, count, offset) : written;
}

/** Has the disk keep what was written: fsync(2), or fdatasync(2). */
export function syncData(descriptor: number, dataOnly: boolean): Promise<number> {
  return dataOnly ? pooled.fdatasync(descriptor) : pooled.fsync(descriptor);
}

/** Where the next getdents of an open directory goes on. @param offset 0, or one that getdents has told */
export function seekDirectory(directory: number, offset: number | bigint): number {
  // the new offset may be a BigInt
  const result = libc.lseek(directory, offset, SEEK_SET);
  return result < 0 ? result : 0;
}

export const F_RDLCK = 0;
export const F_WRLCK = 1;
export const F_UNLCK = 2;
const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;

/** A lock of a part of a file: `struct flock` of fcntl(2), in which 0 bytes reach to the end, however far that moves. */
export interface FileLock {
  readonly type: number;
  readonly start: number | bigint;
  readonly length: number | bigint;
}

const flock = stableMemory(32);
const flockView = new DataView(flock.buffer);

function setFlock({ type, start, length }: FileLock): void {
  flock.fill(0);
  flockView.setInt16(0, type, littleEndian);
  flockView.setInt16(2, SEEK_SET, littleEndian);
  flockView.setBigInt64(8, BigInt(start), littleEndian);
  flockView.setBigInt64(16, BigInt(length), littleEndian);
}

/** Locks or unlocks for an open file description, never waiting. @returns 0, or -errno: EAGAIN where somebody has it */
export function lockFile(descriptor: number, lock: FileLock): number {
  setFlock(lock);
  return libc.fcntl(descriptor, F_OFD_SETLK, flock);
}

/** @returns a lock that is in the way of this one, `undefined` for none, or -errno */
export function conflictingLock(descriptor: number, lock: FileLock): FileLock | undefined | number {
  setFlock(lock);
  const failed = libc.fcntl(descriptor, F_OFD_GETLK, flock);
  if (failed < 0) return failed;
  const type = flockView.getInt16(0, littleEndian);
  if (type === F_UNLCK) return undefined;
  const start = flockView.getBigInt64(8, littleEndian);
  return { type, start, length: flockView.getBigInt64(16, littleEndian) };
}
