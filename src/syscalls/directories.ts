import { getdents } from './files.js';
import { littleEndian } from './memory.js';

/** One entry of a directory as the kernel lists it. */
export interface DirectoryEntry {
  readonly inode: bigint;
  /** Where reading goes on behind it. */
  readonly offset: bigint;
  /** DT_* of readdir(3) */
  readonly type: number;
  /** Without the NUL that stands behind it in memory. */
  readonly name: Uint8Array;
}

/** `struct linux_dirent64`, getdents(2). */
const INODE = 0;
const OFFSET = 8;
const LENGTH = 16;
const TYPE = 18;
const NAME = 19;
const DOT = 0x2e;

/**
 * Reads on in an open directory.
 *
 * @param memory what the names are parts of: at least a page, that does not move
 * @returns entries, none at the end, or -errno
 */
export function readEntries(
  directory: number,
  memory: Uint8Array<ArrayBuffer>,
): readonly DirectoryEntry[] | number {
  const bytes = getdents(directory, memory);
  if (bytes < 0) return bytes;
  const view = new DataView(memory.buffer, memory.byteOffset);
  const entries: DirectoryEntry[] = [];
  for (let at = 0; at < bytes; at += view.getUint16(at + LENGTH, littleEndian)) {
    entries.push({
      inode: view.getBigUint64(at + INODE, littleEndian),
      offset: view.getBigInt64(at + OFFSET, littleEndian),
      type: view.getUint8(at + TYPE),
      name: memory.subarray(at + NAME, memory.indexOf(0, at + NAME)),
    });
  }
  return entries;
}

/** Whether a name is `.` or `..`, which are in every directory. */
export function isDots({ length, 0: first, 1: second }: Uint8Array): boolean {
  return first === DOT && (length === 1 || (length === 2 && second === DOT));
}
