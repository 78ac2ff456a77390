import { StartError } from '../../startup/start-errors.js';
import * as errno from '../../abi/errno.js';
import { S_ISGID } from '../../syscalls/files.js';
import { cString } from '../../syscalls/memory.js';
import { FileStatus, fstat, lstat } from '../../syscalls/status.js';
import { openPlace, type Place } from '../../startup/place.js';
import { Staging } from '../../startup/staging.js';
import { removeStale } from '../../startup/stale-socket.js';

/** For the owner alone, who is root: `helper/session/control.ts`. */
const CONTROL_MODE = 0o600;

/** Where a control socket is to be. Throws a StartError. */
export function controlPlace(path: string): Place {
  return openPlace(
    path,
    (code, reason) => new StartError(code, `cannot create the control socket ${path}: ${reason}`),
  );
}

/**
 * Finds the place where the serving program is to make the control socket. One that a helper left behind is removed:
 * in its changed root it cannot reach the path when it ends. Throws a StartError.
 */
export function prepareControlSocket(path: string): Place {
  const place = controlPlace(path);
  if (lstat(cString(place.name), new FileStatus(), place.directory) !== -errno.ENOENT) {
    Staging.run(place, (staging) => {
      removeStale(place, staging, {
        mode: CONTROL_MODE,
        uid: process.geteuid?.() ?? 0,
        gid: groupIn(place.directory),
      });
    });
  }
  return place;
}

/** The group of what this process makes in a directory: that of the directory where it is set-gid. */
function groupIn(directory: number): number {
  const status = new FileStatus();
  const inherits = fstat(directory, status) >= 0 && (status.mode & S_ISGID) !== 0;
  return (inherits ? status.words[FileStatus.GID] : process.getegid?.()) ?? 0;
}
