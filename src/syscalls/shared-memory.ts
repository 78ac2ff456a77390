import type koffiPackage from 'koffi';
import { loadPackage } from '../native/load.js';
import * as errno from '../abi/errno.js';
import { declare, declareInt, declareWithoutErrno } from './libc.js';
import { FileStatus, fstat } from './status.js';

/**
 * Memory of a file that another process has as well, by its address in this one. There is no view of it but for what has
 * to be looked at word by word, so neither its size nor its place among others matters.
 */
const koffi = loadPackage('koffi') as typeof koffiPackage;

const libc = {
  mmap: declare('mmap', 'int64', 'int64', 'int', 'int', 'int', 'int64'),
  munmap: declareInt('munmap', 'int64', 'int64'),
  /** memcpy(3), of addresses. */
  copyOut: declareWithoutErrno('int64', 'memcpy', 'void *', 'int64', 'int64'),
  copyIn: declareWithoutErrno('int64', 'memcpy', 'int64', 'void *', 'int64'),
};

const PROT_READ_WRITE = 3;
const PROT_NONE = 0;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const PAGE = 4096;
/** What the kernel may map as one page. */
const HUGE_PAGE = 0x20_0000;

/** What is mapped, until `unmap`. */
export interface Mapping {
  /** Where the part that was asked for begins: exact, since no address of a process needs more than 47 bits. */
  readonly address: number;
  unmap(): void;
}

const status = new FileStatus();

/**
 * Maps a part of a regular file, all of which is there, between pages that nobody can touch: who reads or writes beyond it
 * ends this process (SIGSEGV), instead of reaching what happens to be mapped beside. So does who makes the file shorter
 * later (SIGBUS). The descriptor is not needed afterwards.
 *
 * @returns -errno
 */
export function mapShared(descriptor: number, offset: number, size: number): Mapping | number {
  const failed = fstat(descriptor, status);
  if (failed < 0) return failed;
  if ((status.mode & S_IFMT) !== S_IFREG) return -errno.ENODEV;
  const { words } = status;
  const end = (words[FileStatus.SIZE] ?? 0) + (words[FileStatus.SIZE + 1] ?? 0) * 0x1_0000_0000;
  if (size <= 0 || offset + size > end || offset % PAGE !== 0) return -errno.EINVAL;
  // that of a page, which of hugetlbfs is a huge one
  const block = Math.max(words[FileStatus.BLKSIZE] ?? 0, PAGE);
  const start = offset - (offset % block);
  const length = Math.ceil((offset + size - start) / block) * block;
  // huge pages of memory are where they are in the file
  const alignment = length < HUGE_PAGE ? block : Math.max(block, HUGE_PAGE);
  const reserved = length + alignment + 2 * block;
  const base = libc.mmap(0, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base < 0) return base;
  const address = alignedAfter(base + block, alignment, start);
  const flags = MAP_SHARED | MAP_FIXED | MAP_NORESERVE;
  const mapped = libc.mmap(address, length, PROT_READ_WRITE, flags, descriptor, start);
  if (mapped < 0) {
    libc.munmap(base, reserved);
    return mapped;
  }
  return {
    address: address + (offset - start),
    unmap: () => {
      libc.munmap(base, reserved);
    },
  };
}

/** The first address from one on that lies to the alignment as a place in a file does. */
function alignedAfter(from: number, alignment: number, place: number): number {
  const distance = (place - from) % alignment;
  return from + (distance < 0 ? distance + alignment : distance);
}

/** Copies from an address to memory that does not move. */
export function copyFrom(address: number, into: Uint8Array, size: number): void {
  if (size > 0) libc.copyOut(into, address, size);
}

/** Copies memory that does not move to an address. */
export function copyTo(address: number, from: Uint8Array, size: number): void {
  if (size > 0) libc.copyIn(address, from, size);
}

/** A view of mapped memory. Nobody may look at it once it is unmapped. */
export function viewOf(address: number, size: number): ArrayBuffer {
  return koffi.view(BigInt(address), size);
}
