import { readdirSync } from 'node:fs';
import { StartError } from '../../startup/start-errors.js';
import * as errno from '../../abi/errno.js';
import {
  AT_FDCWD,
  close,
  lockNow,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  openat,
  unlinkat,
} from '../../syscalls/files.js';
import { cString } from '../../syscalls/memory.js';
import { identityOf } from '../../syscalls/status.js';
import type { FoundExport } from './export-path.js';
import { pathIn } from '../../startup/place.js';
import { lockPrivateDirectory } from '../../startup/private-directory.js';
import { openUnchangeable } from '../../startup/read-only-mount.js';

/**
 * Has a file for each directory that a helper serves for writing, which the helper has locked for as long as it runs. The
 * name tells the directory, and the file is empty.
 */
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
      const directory = above.find(({ identity }) => served.has(identity));
      if (directory === undefined) continue;
      throw new StartError(
        'export-behind-link',
        `cannot export ${path}: it leads through the symbolic link ${name} in ${directory.path}, ` +
          'which another helper serves to a guest that can change it; use --path-base',
      );
    }
    return readOnly ? undefined : addExport(registry, found.directory);
  } finally {
    close(registry);
  }
}

/** The identities of what helpers serve. The files of those that have ended are removed. */
function servedExports(registry: number): ReadonlySet<string> {
  const served = new Set<string>();
  for (const name of readdirSync(pathIn(registry, '.'))) {
    const file = openat(registry, cString(name), O_NOFOLLOW, 0);
    if (file < 0) continue;
    if (lockNow(file) < 0) served.add(name.slice(0, name.indexOf('.')));
    else unlinkat(registry, cString(name), 0);
    close(file);
  }
  return served;
}

/** Makes the file of a directory that is to be served, one of those that may serve it. @returns its locked descriptor */
function addExport(registry: number, directory: number): number | undefined {
  const identity = identityOf(directory);
  for (let number = 1; ; number++) {
    const name = cString(`${identity}.${number}`);
    const file = openat(registry, name, O_NOFOLLOW | O_CREAT | O_EXCL, OWNER_ONLY);
    if (file === -errno.EEXIST) continue;
    if (file < 0) return undefined;
    const unchangeable = openUnchangeable(registry, name);
    close(file);
    if (unchangeable >= 0) lockNow(unchangeable);
    return unchangeable < 0 ? undefined : unchangeable;
  }
}
