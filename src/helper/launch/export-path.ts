import { readlinkSync } from 'node:fs';
import { relative } from 'node:path';
import { StartError, type StartErrorCode } from '../../startup/start-errors.js';
import * as errno from '../../abi/errno.js';
import { describeErrno } from '../../abi/errno-text.js';
import {
  AT_FDCWD,
  close,
  O_DIRECTORY,
  O_PATH,
  openat,
  openResolving,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
} from '../../syscalls/files.js';
import { cString } from '../../syscalls/memory.js';
import { identityOf } from '../../syscalls/status.js';
import { walk } from '../../startup/walk.js';

const openWithoutLinks = openResolving(RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH);

/** The directory to be exported, and by whose links it was found. */
export interface FoundExport {
  /** An O_PATH descriptor. */
  readonly directory: number;
  /** Every symbolic link on the way, with the directories above it. */
  readonly links: readonly { readonly name: string; readonly above: readonly PassedDirectory[] }[];
}

/** A directory that a path leads through. */
export interface PassedDirectory {
  /** As `identityOf` tells it. */
  readonly identity: string;
  readonly path: string;
}

/**
 * Finds the directory to be exported.
 *
 * @param base where --path-base says that links end; undefined to follow them everywhere
 * @returns the directory, or -errno
 */
function find(path: string, base: string | undefined): FoundExport | number {
  const links: { name: string; above: PassedDirectory[] }[] = [];
  const directory =
    base === undefined
      ? walk(path, (name, _owner, above) => {
          links.push({ name, above: above.map(passed) });
        })
      : openBelow(base, relative(base, path));
  return directory < 0 ? directory : { directory, links };
}

function passed(directory: number): PassedDirectory {
  return { identity: identityOf(directory), path: readlinkSync(`/proc/self/fd/${directory}`) };
}

/** Opens a directory below another one, to which links may lead but not beyond. */
function openBelow(base: string, rest: string): number {
  const from = openat(AT_FDCWD, cString(base), O_PATH | O_DIRECTORY, 0);
  if (from < 0) return from;
  const flags = O_PATH | O_DIRECTORY;
  const found = openWithoutLinks(from, cString(rest || '.'), flags, 0);
  close(from);
  return found;
}

/** The same. Throws a StartError when there is no such directory, or it must not be exported. */
export function findExport(path: string, base: string | undefined): FoundExport {
  const found = find(path, base);
  if (typeof found !== 'number') return found;
  throw base !== undefined && found === -errno.ELOOP
    ? refused(
        path,
        'export-behind-link',
        `a symbolic link below ${base} leads there, which --path-base forbids`,
      )
    : refused(path, codes[-found] ?? 'export-not-opened', describeErrno(found));
}

const codes: Readonly<Record<number, StartErrorCode>> = {
  [errno.ENOENT]: 'export-not-found',
  [errno.ENOTDIR]: 'export-not-a-directory',
};

function refused(path: string, code: StartErrorCode, reason: string): StartError {
  return new StartError(code, `cannot export ${path}: ${reason}`);
}
