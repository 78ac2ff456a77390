import { readFileSync } from 'node:fs';
import { StartError } from '../exit-status.js';
import * as errno from '../syscalls/errno.js';
import { describeErrno } from '../syscalls/errno-text.js';
import {
  AT_FDCWD,
  close,
  lockNow,
  O_CREAT,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_TRUNC,
  O_WRONLY,
  openat,
  S_IFMT,
  S_IFREG,
} from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import { write } from '../syscalls/process.js';
import { FileStatus, fstat } from '../syscalls/status.js';

const MODE = 0o644;

/**
 * Opens a pidfile and locks it for as long as the descriptor is open in any process: flock(2). It is open for reading
 * only, so that the serving program, which keeps it, can do nothing with it. The file of a helper that has ended is not
 * locked and is taken over. Throws a StartError.
 */
export function lockPidfile(path: string): number {
  const fail = (reason: string): StartError => new StartError(`--pidfile ${path}: ${reason}`);
  // not waiting for a fifo
  const descriptor = openat(AT_FDCWD, cString(path), O_CREAT | O_NOFOLLOW | O_NONBLOCK, MODE);
  if (descriptor === -errno.ELOOP) throw fail('is a symbolic link, which is not followed');
  if (descriptor < 0) throw fail(describeErrno(descriptor));
  const status = new FileStatus();
  const failed = fstat(descriptor, status);
  if (failed < 0) throw fail(describeErrno(failed));
  if ((status.mode & S_IFMT) !== S_IFREG) throw fail('is not a regular file');
  // whoever owns it could write a pid of his choice into it
  if (status.words[FileStatus.UID] !== process.geteuid?.())
    throw fail('belongs to another user; remove it first');
  const locked = lockNow(descriptor);
  if (locked === -errno.EAGAIN)
    throw fail(`a helper with pid ${pidIn(descriptor)} has it; stop that one first`);
  if (locked < 0) throw fail(describeErrno(locked));
  return descriptor;
}

function pidIn(descriptor: number): string {
  const text = readFileSync(ownPath(descriptor), 'latin1');
  return /^\d{1,10}(?=\n)/.exec(text)?.[0] ?? 'not yet written';
}

/** Writes the pid into a locked pidfile. To be called before the root is changed. Throws a StartError. */
export function writePid(pidfile: number, pid: number): void {
  const writable = openat(AT_FDCWD, cString(ownPath(pidfile)), O_WRONLY | O_TRUNC, 0);
  const text = cString(`${pid}\n`);
  const written = writable < 0 ? writable : write(writable, text, text.length - 1);
  if (written < 0) throw new StartError(`cannot write the pidfile: ${describeErrno(written)}`);
  close(writable);
}

function ownPath(descriptor: number): string {
  return `/proc/self/fd/${descriptor}`;
}
