import { readdirSync } from 'node:fs';
import { StartError } from './start-errors.js';
import { describeErrno } from '../abi/errno-text.js';
import { O_ACCMODE, O_NONBLOCK, O_RDONLY, S_IFIFO, S_IFMT } from '../syscalls/files.js';
import { keepOverExec, openFlags, unreadBytes } from '../syscalls/process.js';
import { FileStatus, fstat, referToSameFile } from '../syscalls/status.js';

/** Checks a descriptor that the caller passed to be reported to. Throws a StartError. */
export function checkReportDescriptor(descriptor: number): void {
  const wrong = (reason: string): StartError =>
    new StartError('ready-fd-unsuitable', `--ready-fd ${descriptor}: ${reason}`);
  const failed = keepOverExec(descriptor);
  if (failed < 0) throw wrong(describeErrno(failed));
  if (isOfNode(descriptor)) throw wrong('no such descriptor was passed');
  if (accessMode(descriptor) === O_RDONLY) throw wrong('is not open for writing');
}

/**
 * Whether Node opened a descriptor for itself: an object of the kernel that is no file (epoll, eventfd), or a pipe of
 * libuv's. Of these both ends are open here, and they do not block, or hold the one byte that makes a pipe a lock.
 */
function isOfNode(descriptor: number): boolean {
  const type = fileType(descriptor);
  if (type !== S_IFIFO) return type === 0;
  const isOfLibuv = (openFlags(descriptor) & O_NONBLOCK) !== 0 || unreadBytes(descriptor) === 1;
  return isOfLibuv && hasOtherEnd(descriptor);
}

function fileType(descriptor: number): number {
  const status = new FileStatus();
  fstat(descriptor, status);
  return status.mode & S_IFMT;
}

function hasOtherEnd(pipe: number): boolean {
  const ends = readdirSync('/proc/self/fd')
    .map(Number)
    .filter((other) => referToSameFile(pipe, other));
  return new Set(ends.map(accessMode)).size > 1;
}

function accessMode(descriptor: number): number {
  return openFlags(descriptor) & O_ACCMODE;
}
