import { basename, dirname } from 'node:path';
import type { Fail } from './start-errors.js';
import { describeErrno } from '../abi/errno-text.js';
import { cString } from '../syscalls/memory.js';
import { FileStatus, lstat } from '../syscalls/status.js';
import { walk } from './walk.js';

/**
 * Where something of ours is to be: a name in a directory that is held open. Others may write to that directory, or
 * rename any on the way to it, so nothing is done by the path again.
 */
export interface Place {
  /** As it was given, for messages. */
  readonly path: string;
  /** An O_PATH descriptor. */
  readonly directory: number;
  readonly name: string;
}

/** The name that a descriptor's directory has for this process, for calls that take nothing but a path. */
export function pathIn(directory: number, name: string): string {
  return `/proc/self/fd/${directory}/${name}`;
}

/**
 * Opens the directory of a path. A symbolic link on the way is followed only if this user or the owner of the root
 * directory made it: anybody else could lead it wherever he likes. Throws a StartError.
 *
 * @param fail makes the error of a code and a reason
 */
export function openPlace(path: string, fail: Fail): Place {
  const trusted = trustedOwners();
  const directory = walk(dirname(path), (link, owner) => {
    if (!trusted.includes(owner))
      throw fail(
        'link-not-trusted',
        `the symbolic link ${link} on the way belongs to user ${owner}; give a path without it`,
      );
  });
  if (directory < 0) throw fail('file-not-created', describeErrno(directory));
  const name = basename(path);
  if (name === '') throw fail('path-taken', 'is a directory');
  return { path, directory, name };
}

function trustedOwners(): number[] {
  const status = new FileStatus();
  lstat(cString('/'), status);
  return [process.geteuid?.() ?? 0, status.words[FileStatus.UID] ?? 0];
}
