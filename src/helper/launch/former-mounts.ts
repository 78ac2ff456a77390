import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { pathIn } from '../../startup/place.js';
import { lockPrivateDirectory } from '../../startup/private-directory.js';
import { AT_FDCWD, close } from '../../syscalls/files.js';
import { FileStatus, identityOf, isUniqueMount, mountNumberAndType } from '../../syscalls/status.js';
import type { Export } from './export.js';

/**
 * Has a file for each directory that helpers serve with --descriptor-requests, which is named for the directory, and has
 * the number of the mount of each on a line of its own. On a tmpfs, since numbers begin anew when the machine does.
 */
const MEMORY = '/run/virtfs-proxy-helper-mounts';
/** So many of the last ones are kept. */
const MAX_MOUNTS = 4096;
const OWNER_ONLY = 0o600;
const NUMBER = /^[1-9]\d{0,14}$/;

/**
 * The mounts that helpers before this one had of the same directory; that of this one is added for those that follow. What
 * a client has open since then is of them. Where nothing can be kept (without root, where /run is read-only, before Linux
 * 6.8, which gives the number of a mount to another one) there are none.
 */
export function formerMountsOf({ directory, isMount }: Export): readonly number[] {
  const own = isMount ? mountNumberAndType(directory, new FileStatus()) : 0;
  if (!isUniqueMount(own)) return [];
  const memory = lockPrivateDirectory(AT_FDCWD, MEMORY);
  if (memory < 0) return [];
  try {
    const file = pathIn(memory, identityOf(directory));
    const former = numbersIn(file).slice(-MAX_MOUNTS);
    keep(file, [...former, own]);
    return former;
  } finally {
    close(memory);
  }
}

function numbersIn(file: string): number[] {
  try {
    const lines = readFileSync(file, 'latin1').split('\n');
    return lines.filter((line) => NUMBER.test(line)).map(Number);
  } catch {
    return [];
  }
}

/** A helper that cannot keep its mount serves; the next one does not know the files that are open now. */
function keep(file: string, mounts: readonly number[]): void {
  try {
    writeFileSync(`${file}.new`, mounts.map((mount) => `${mount}\n`).join(''), { mode: OWNER_ONLY });
    renameSync(`${file}.new`, file);
  } catch {
    // full, or not to be written
  }
}
