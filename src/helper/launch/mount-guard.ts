import { readFileSync } from 'node:fs';
import { AT_FDCWD, close, O_DIRECTORY, O_PATH, openat } from '../../syscalls/files.js';
import { cString } from '../../syscalls/memory.js';
import { type Mount, parseMountTable, pathBelow } from '../../syscalls/mount-table.js';
import { bindToItself, detachMount, openBelow } from '../../syscalls/privileged/mounts.js';
import { FileStatus, mountId } from '../../syscalls/status.js';

/**
 * Keeps a guest from unmounting what the host mounts in the export.
 *
 * The kernel refuses to remove a directory on which something is mounted (EBUSY), but only what is mounted in the mount
 * namespace of the process that asks: elsewhere it unmounts it. So the export is mounted in ours twice. The guard, which is
 * a slave of the host's mounts, gets everything that the host mounts, at the same moment, as the host mounted it. The other
 * one, the export that is served, is mounted upon the guard and private. It becomes the root, so that no path leads to the
 * guard, nor to what is mounted there.
 *
 * There is none where the host's mounts are not shared. Systemd shares all.
 */

/** @returns an O_PATH descriptor; undefined where there is no guard */
export function layGuard(directory: Uint8Array): number | undefined {
  if (bindToItself(directory) < 0) return undefined;
  const guard = openat(AT_FDCWD, directory, O_PATH | O_DIRECTORY, 0);
  if (guard < 0) return undefined;
  const id = mountId(guard, new FileStatus());
  if (ownTable().some((mount) => mount.id === id && mount.isSlave)) return guard;
  // one that gets nothing would only keep what the host unmounts; it goes with the host's mounts, as nothing else is its root
  close(guard);
  return undefined;
}

/** Takes out of the guard what it would keep when the host unmounts it. @param exported what is mounted upon the guard */
export function trimGuard(guard: number, exported: number): void {
  const status = new FileStatus();
  const [root, upon] = [mountId(guard, status), mountId(exported, status)];
  const table = ownTable();
  const base = table.find(({ id }) => id === root);
  if (base === undefined) return;
  const kept = new Set([root]);
  for (const parent of kept) {
    const { isSlave } = table.find(({ id }) => id === parent) ?? base;
    for (const mount of table) {
      if (mount.parent !== parent || mount.id === upon) continue;
      if (isSlave) kept.add(mount.id);
      else detach(mount, openBelow(guard, pathBelow(base.path, mount) ?? ''));
    }
  }

  function detach({ id }: Mount, mounted: number): void {
    if (mountId(mounted, status) === id) detachMount(cString(`/proc/self/fd/${mounted}`));
    close(mounted);
  }
}

function ownTable(): readonly Mount[] {
  return parseMountTable(readFileSync('/proc/self/mountinfo', 'latin1'));
}
