import { readFileSync } from 'node:fs';
import { StartError } from '../exit-status.js';
import * as errno from '../syscalls/errno.js';
import { describeErrno } from '../syscalls/errno-text.js';
import {
  AT_FDCWD,
  close,
  lockNow,
  O_CREAT,
  O_EXCL,
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
import { openPlace, type Place } from './place.js';
import { NEW, Staging } from './staging.js';

/** Who can open a file can lock it, so nobody else can: flock(2). */
const MODE = 0o600;
const OTHERS = 0o077;
/** A pid and a newline, or nothing yet. */
const CONTENT = /^(\d{1,10}\n)?$/;

/**
 * Makes a pidfile and locks it for as long as the descriptor is open in any process: flock(2). It is open for reading
 * only, so that the serving program, which keeps it, can do nothing with it. The file of a helper that has ended is
 * replaced, never written to. Throws a StartError.
 */
export function lockPidfile(path: string): number {
  const fail = (reason: string): StartError => new StartError(`--pidfile ${path}: ${reason}`);
  const check = (result: number): number => {
    if (result < 0) throw fail(describeErrno(result));
    return result;
  };
  const place = openPlace(path, fail);
  try {
    return Staging.run(place, (staging) => {
      refuseTaken(place, fail);
      const descriptor = check(openat(staging.directory, cString(NEW), O_CREAT | O_EXCL, MODE));
      check(lockNow(descriptor));
      check(staging.replace());
      return descriptor;
    });
  } finally {
    close(place.directory);
  }
}

/** Throws when what is at the place is not the pidfile of a helper that has ended. */
function refuseTaken(place: Place, fail: (reason: string) => StartError): void {
  // not waiting for a fifo
  const descriptor = openat(place.directory, cString(place.name), O_NOFOLLOW | O_NONBLOCK, 0);
  if (descriptor === -errno.ENOENT) return;
  if (descriptor === -errno.ELOOP) throw fail('is a symbolic link, which is not followed');
  if (descriptor < 0) throw fail(describeErrno(descriptor));
  try {
    const status = new FileStatus();
    const failed = fstat(descriptor, status);
    if (failed < 0) throw fail(describeErrno(failed));
    if ((status.mode & S_IFMT) !== S_IFREG) throw fail('is not a regular file');
    // whoever owns it could have written a pid of his choice into it
    if (status.words[FileStatus.UID] !== process.geteuid?.())
      throw fail('belongs to another user; remove it first');
    const content = readFileSync(ownPath(descriptor), 'latin1');
    if (!CONTENT.test(content)) throw fail('is not a pidfile; remove it first');
    if (lockNow(descriptor) >= 0) return;
    const pid = content.trimEnd();
    // others can have locked the file of an earlier version or of somebody's script, which they can read
    if ((status.mode & OTHERS) !== 0 && !isHelper(pid)) return;
    throw fail(`a helper with pid ${pid === '' ? 'not yet written' : pid} has it; stop that one first`);
  } finally {
    close(descriptor);
  }
}

/** Whether a process of this user is a helper that runs: it has given itself that name. */
function isHelper(pid: string): boolean {
  try {
    const uid = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    const name = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    return uid === String(process.geteuid?.()) && name.includes('virtfs-proxy-helper');
  } catch {
    return false;
  }
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
