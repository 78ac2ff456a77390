import { readFileSync, readlinkSync } from 'node:fs';
import { StartError } from '../../startup/start-errors.js';
import * as errno from '../../abi/errno.js';
import { describeErrno } from '../../abi/errno-text.js';
import { AT_FDCWD, close, O_DIRECTORY, O_PATH, openat } from '../../syscalls/files.js';
import { cString, stableMemory } from '../../syscalls/memory.js';
import { type Mount, parseMountTable, pathBelow } from '../../syscalls/mount-table.js';
import { bindToItself, makePrivate, ownMounts } from '../../syscalls/privileged/mounts.js';
import { identityOf } from '../../syscalls/status.js';
import { lgetxattr } from '../../syscalls/xattrs.js';
import { layGuard, trimGuard } from './mount-guard.js';

/** The directory to be served. */
export interface Export {
  readonly path: string;
  /** An O_PATH descriptor of it. */
  readonly directory: number;
  /** Whether it is a mount of our own, so that `..` never leaves it: see docs/decisions/003-containment.md. */
  readonly isMount: boolean;
  /** A descriptor of what lies beneath that mount: `mount-guard.ts`. The serving program does not get it. */
  readonly guard: number | undefined;
  /** Whether a procfs is mounted inside, whose magic links lead out of it. */
  readonly hasProcfs: boolean;
  /** Undefined where the host's mounts are not followed. */
  readonly host: HostView | undefined;
}

/** What is needed to follow the mounts of the host: of its namespace, before we have one of our own. */
export interface HostView {
  /** Descriptors: of the namespace, of mountinfo, and an O_PATH one of the export. */
  readonly namespace: number;
  readonly table: number;
  readonly directory: number;
  /** The real path of the export, a character for each byte. */
  readonly path: string;
}

/**
 * Opens the export, where possible as a mount of its own. Throws a StartError.
 *
 * @param path as it was given, for messages
 * @param follow whether what the host mounts in it later shall be seen
 */
export function openExport(path: string, found: number, follow: boolean): Export {
  // by the name that it has without links: what was found is what is served, or nothing
  const name = nameOf(found);
  const real = name.subarray(0, -1).toString('latin1');
  const host = follow ? viewHost(found, real) : undefined;
  const canMount = ownMounts() >= 0;
  // `/` is one of our own with all others, and a mount on it would not be seen
  const guard = canMount && real !== '/' ? layGuard(name) : undefined;
  const isMount = canMount && (real === '/' || bindToItself(name) >= 0);
  const directory = openat(AT_FDCWD, name, O_PATH | O_DIRECTORY, 0);
  if (directory < 0)
    throw new StartError('export-not-opened', `cannot export ${path}: ${describeErrno(directory)}`);
  const isPrivate = !isMount || makePrivate(cString(`/proc/self/fd/${directory}`)) >= 0;
  if (!isPrivate || identityOf(found) !== identityOf(directory))
    throw new StartError(
      'export-replaced',
      `cannot export ${path}: it was moved or replaced meanwhile; start again`,
    );
  if (guard !== undefined) trimGuard(guard, directory);
  if (host === undefined) close(found);
  const hasProcfs = mountsIn(real).some(({ fileSystem }) => fileSystem === 'proc');
  return { path, directory, isMount, guard, hasProcfs, host: isMount ? host : undefined };
}

function viewHost(directory: number, path: string): HostView | undefined {
  const [namespace = -1, table = -1] = ['ns/mnt', 'mountinfo'].map((name) =>
    openat(AT_FDCWD, cString(`/proc/self/${name}`), 0, 0),
  );
  if (namespace < 0 || table < 0) return undefined;
  return { namespace, table, directory, path };
}

/** What is mounted at and below a path, a character for each byte. */
function mountsIn(path: string): readonly Mount[] {
  const table = parseMountTable(readFileSync('/proc/self/mountinfo', 'latin1'));
  return table.filter((mount) => pathBelow(path, mount) !== undefined);
}

/** The absolute path of an open directory, for libc. */
function nameOf(directory: number): Buffer {
  const text = readlinkSync(`/proc/self/fd/${directory}`, { encoding: 'buffer' });
  const name = Buffer.from(stableMemory(text.length + 1).buffer, 0, text.length + 1);
  name.set(text);
  return name;
}

/** Throws a StartError where mapped-xattr could not keep anything. */
export function requireUserXattrs({ path, directory }: Export): void {
  const failed = lgetxattr(
    cString(`/proc/self/fd/${directory}/.`),
    cString('user.virtfs.mode'),
    stableMemory(4),
    4,
  );
  if (failed !== -errno.EOPNOTSUPP) return;
  throw new StartError(
    'export-without-xattrs',
    `the file system of ${path} has no user extended attributes, which mapped-xattr needs; use mapped-file`,
  );
}
