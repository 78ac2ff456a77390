import { readFileSync } from 'node:fs';
import { type Fail, StartError } from './start-errors.js';
import * as errno from '../abi/errno.js';
import { describeErrno } from '../abi/errno-text.js';
import {
  close,
  lockNow,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_WRONLY,
  openat,
  S_IFMT,
  S_IFREG,
} from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import { write } from '../syscalls/process.js';
import { FileStatus, fstat } from '../syscalls/status.js';
import { openPlace, type Place } from './place.js';
import { openUnchangeable } from './read-only-mount.js';
import { NEW, Staging } from './staging.js';

/** Who can open a file can lock it, so nobody else can: flock(2). */
const MODE = 0o600;
const OTHERS = 0o077;
/** A pid and a newline, or nothing yet. */
const CONTENT = /^(\d{1,10}\n)?$/;

/** Two descriptors of a pidfile. */
export interface Pidfile {
  /** Holds the lock. */
  readonly lock: number;
  /** For the pid; open until that is written. */
  readonly writable: number;
}

/**
 * Makes a pidfile and locks it for as long as the descriptor is open in any process: flock(2). The serving program, which
 * keeps the lock, can do nothing else with it. The file of a helper that has ended is replaced, never written to. Throws
 * a StartError.
 */
export function lockPidfile(path: string): Pidfile {
  const fail: Fail = (code, reason) => new StartError(code, `--pidfile ${path}: ${reason}`);
  const check = (result: number): number => {
    if (result < 0) throw fail('file-not-created', describeErrno(result));
    return result;
  };
  const place = openPlace(path, fail);
  try {
    return Staging.run(place, fail, (staging) => {
      refuseTaken(place, fail);
      const name = cString(NEW);
      const writable = check(openat(staging.directory, name, O_CREAT | O_EXCL | O_WRONLY, MODE));
      const lock = check(openUnchangeable(staging.directory, name));
      check(lockNow(lock));
      check(staging.replace());
      return { lock, writable };
    });
  } finally {
    close(place.directory);
  }
}

/** Throws when what is at the place is not the pidfile of a helper that has ended. */
function refuseTaken(place: Place, fail: Fail): void {
  // not waiting for a fifo
  const descriptor = openat(place.directory, cString(place.name), O_NOFOLLOW | O_NONBLOCK, 0);
  if (descriptor === -errno.ENOENT) return;
  if (descriptor === -errno.ELOOP) throw fail('path-taken', 'is a symbolic link, which is not followed');
  if (descriptor < 0) throw fail('path-taken', describeErrno(descriptor));
  try {
    const status = new FileStatus();
    const failed = fstat(descriptor, status);
    if (failed < 0) throw fail('path-taken', describeErrno(failed));
    if ((status.mode & S_IFMT) !== S_IFREG) throw fail('path-taken', 'is not a regular file');
    // whoever owns it could have written a pid of his choice into it
    if (status.words[FileStatus.UID] !== process.geteuid?.())
      throw fail('path-taken', 'belongs to another user; remove it first');
    const content = readFileSync(`/proc/self/fd/${descriptor}`, 'latin1');
    if (!CONTENT.test(content)) throw fail('path-taken', 'is not a pidfile; remove it first');
    if (lockNow(descriptor) >= 0) return;
    const pid = content.trimEnd();
    // others can have locked the file of an earlier version or of somebody's script, which they can read
    if ((status.mode & OTHERS) !== 0 && !isHelper(pid)) return;
    throw fail(
      'already-in-use',
      `a helper with pid ${pid === '' ? 'not yet written' : pid} has it; stop that one first`,
    );
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

/** Writes the pid into a locked pidfile, after which nothing can be written there. Throws a StartError. */
export function writePid({ writable }: Pidfile, pid: number): void {
  const text = cString(`${pid}\n`);
  const written = write(writable, text, text.length - 1);
  if (written < 0)
    throw new StartError('file-not-created', `cannot write the pidfile: ${describeErrno(written)}`);
  close(writable);
}
