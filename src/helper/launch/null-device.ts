import { readdirSync } from 'node:fs';
import { Socket } from 'node:net';
import { AT_FDCWD, close, O_RDWR, S_IFBLK, S_IFCHR, S_IFDIR, S_IFMT, S_IFREG } from '../../syscalls/files.js';
import { cString } from '../../syscalls/memory.js';
import { replaceDescriptor } from '../../syscalls/process.js';
import { FileStatus, fstat } from '../../syscalls/status.js';
import { openDeviceUnchangeable } from '../../startup/read-only-mount.js';
import { openSocketPair } from '../../startup/socket-pair.js';

const STDIN = 0;
const STDOUT = 1;
/** The numbers of /dev/null: null(4). */
const NULL_MAJOR = 1;
const NULL_MINOR = 3;

/**
 * Opens /dev/null, so that whoever has the descriptor cannot change the mode, owner or times of the host's.
 *
 * @returns undefined where that cannot be had
 */
export function openNullDevice(): number | undefined {
  const opened = openDeviceUnchangeable(AT_FDCWD, cString('/dev/null'), O_RDWR);
  if (opened < 0) return undefined;
  const status = new FileStatus();
  if (fstat(opened, status) >= 0 && isNullDevice(status)) return opened;
  close(opened);
  return undefined;
}

/**
 * Has libuv open the /dev/null that it keeps from its first stream on. Later the process may have another root, in which
 * a guest has made what it likes of that name. Throws a StartError.
 */
export function openNullDeviceOfLibuv(): void {
  const [ours, theirs] = openSocketPair();
  new Socket({ fd: ours }).destroy();
  close(theirs);
}

/**
 * Puts such a /dev/null in the place of every other one that this process has open, its caller's and those of Node, and
 * of a file or device that is its standard input or output, which nothing reads or writes. It is closed. A pipe or socket
 * stays, as somebody may wait for its end.
 *
 * @param kept a descriptor that is none of these, whatever it is
 */
export function replaceNullDevices(nullDevice: number, kept: number | undefined): void {
  const status = new FileStatus();
  for (const descriptor of readdirSync('/proc/self/fd').map(Number)) {
    if (descriptor === kept || descriptor === nullDevice || fstat(descriptor, status) < 0) continue;
    const isUnused = (descriptor === STDIN || descriptor === STDOUT) && isFileOrDevice(status);
    if (isUnused || isNullDevice(status)) replaceDescriptor(descriptor, nullDevice);
  }
  close(nullDevice);
}

function isNullDevice(status: FileStatus): boolean {
  const { mode, words } = status;
  return (
    (mode & S_IFMT) === S_IFCHR &&
    words[FileStatus.RDEV_MAJOR] === NULL_MAJOR &&
    words[FileStatus.RDEV_MINOR] === NULL_MINOR
  );
}

function isFileOrDevice({ mode }: FileStatus): boolean {
  return [S_IFREG, S_IFDIR, S_IFCHR, S_IFBLK].includes(mode & S_IFMT);
}
