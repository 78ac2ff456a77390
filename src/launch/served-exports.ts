import { readdirSync, readFileSync } from 'node:fs';
import { StartError } from '../exit-status.js';
import * as errno from '../syscalls/errno.js';
import {
  AT_FDCWD,
  close,
  lockNow,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_WRONLY,
  openat,
  unlinkat,
} from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import { write } from '../syscalls/process.js';
import { identityOf } from '../syscalls/status.js';
import type { FoundExport } from './export-path.js';
import { pathIn } from './place.js';
import { lockPrivateDirectory } from './private-directory.js';

/** Has a file for each directory that a helper serves for writing, which the helper has locked for as long as it runs. */
const REGISTRY = '/run/virtfs-proxy-helper-exports';
const OWNER_ONLY = 0o600;

/**
 * Makes sure that no link on the way to an export was made by the guest of another helper, and has it known that this
 * one is served. Where there can be no registry (without root, or where /run is read-only) nothing is known of others.
 * Throws a StartError.
 *
 * @returns a descriptor to be kept open for as long as the directory is served
 */
export function registerExport(path: string, found: FoundExport, readOnly: boolean): number | undefined {
  const registry = lockPrivateDirectory(AT_FDCWD, REGISTRY);
  if (registry < 0) return undefined;
  try {
    const served = servedExports(registry);
    for (const { name, above } of found.links) {
      const other = served.find(({ identity }) => above.includes(identity));
      if (other === undefined) continue;
      throw new StartError(
        `cannot export ${path}: it leads through the symbolic link ${name} in ${other.path}, ` +
          'which another helper serves to a guest that can change it; use --path-base',
      );
    }
    return readOnly ? undefined : addExport(registry, path, found.directory);
  } finally {
    close(registry);
  }
}

interface ServedExport {
  readonly identity: string;
  readonly path: string;
}

/** What helpers serve. The files of those that have ended are removed. */
function servedExports(registry: number): ServedExport[] {
  return readdirSync(pathIn(registry, '.')).flatMap((name) => {
    const file = openat(registry, cString(name), O_NOFOLLOW, 0);
    if (file < 0) return [];
    const hasEnded = lockNow(file) >= 0;
    const [identity = '', ...path] = readFileSync(`/proc/self/fd/${file}`, 'utf8').split(' ');
    close(file);
    if (hasEnded) unlinkat(registry, cString(name), 0);
    return hasEnded ? [] : [{ identity, path: path.join(' ') }];
  });
}

/** @returns a locked descriptor for reading only, so that the serving program can do nothing with it */
function addExport(registry: number, path: string, directory: number): number | undefined {
  let number = 0;
  let writable: number;
  do {
    number++;
    writable = openat(registry, cString(String(number)), O_WRONLY | O_CREAT | O_EXCL, OWNER_ONLY);
  } while (writable === -errno.EEXIST);
  if (writable < 0) return undefined;
  const text = cString(`${identityOf(directory)} ${path}`);
  write(writable, text, text.length - 1);
  close(writable);
  const file = openat(registry, cString(String(number)), O_NOFOLLOW, 0);
  lockNow(file);
  return file;
}
