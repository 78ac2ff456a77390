import { join } from 'node:path';
import { CAP_DAC_OVERRIDE, CAP_SYS_ADMIN, CAP_SYS_CHROOT } from '../../confinement/capabilities.js';
import { ExitStatus } from '../../startup/exit-status.js';
import { StartError } from '../../startup/start-errors.js';
import { describeErrno } from '../../abi/errno-text.js';
import { AT_FDCWD, close, O_RDWR, openat } from '../../syscalls/files.js';
import { cString } from '../../syscalls/memory.js';
import { enterMounts } from '../../syscalls/privileged/mounts.js';
import { duplicateTo, exitNow, fork, waitForChild } from '../../syscalls/process.js';
import type { LogFormat } from '../../observability/levels.js';
import { complain } from '../../startup/journal.js';
import { socketPair } from '../../syscalls/sockets.js';
import type { Export, HostView } from './export.js';
import { openNullDevice } from './null-device.js';
import { restrictNextProgram } from '../../confinement/rights.js';
import { NextProgram } from '../../startup/program.js';

/** To copy mounts, to enter the namespaces of mounts, and to get through the guest's directories. */
const KEPT = [CAP_SYS_ADMIN, CAP_SYS_CHROOT, CAP_DAC_OVERRIDE];

/** Where that program tells what it does not follow: the helper's log. */
export interface FollowersLog {
  readonly format: LogFormat;
  readonly syslog: boolean;
  /** Whether stderr is systemd's journal. */
  readonly journal: boolean;
  /** Whether warnings are wanted. */
  readonly warns: boolean;
}

/** How the mounts are to be followed. */
interface Following {
  readonly readOnly: boolean;
  readonly log: FollowersLog;
}

/**
 * Starts the program that follows the host's mounts. Throws a StartError.
 *
 * @param directory where the programs are
 * @returns a socket to it, for `watched-helper.ts`; undefined where the mounts cannot be followed, which was told
 */
export function startMountFollower(
  exported: Export,
  host: HostView,
  { readOnly, log }: Following,
  directory: string,
): number | undefined {
  const ends = socketPair();
  const ownNamespace = openat(AT_FDCWD, cString('/proc/self/ns/mnt'), 0, 0);
  const devNull = openNullDevice() ?? openat(AT_FDCWD, cString('/dev/null'), O_RDWR, 0);
  if (typeof ends === 'number') throw failure(ends);
  const [theirs, ours] = ends;
  const mounts = {
    hostNamespace: host.namespace,
    ownNamespace,
    hostDirectory: host.directory,
    ownDirectory: exported.directory,
    table: host.table,
    path: host.path,
    readOnly,
    socket: theirs,
    log,
  };
  const descriptors = [host.namespace, ownNamespace, host.directory, exported.directory, host.table, theirs];
  const { NODE_OPTIONS } = process.env;
  const program = new NextProgram(join(directory, 'follow.js'), mounts, descriptors, { NODE_OPTIONS });
  const pid = fork();
  if (pid < 0) throw failure(pid);
  if (pid === 0) {
    try {
      // the programs of Node may lie in the export, which is noexec in our namespace
      if (enterMounts(host.namespace) < 0) exitNow(ExitStatus.FAILURE);
      // a child of nobody who would have to wait for it
      if (fork() !== 0) exitNow(ExitStatus.OK);
      // stderr is kept for the log, and ends with the helper, as this program does
      for (const standard of log.syslog ? [0, 1, 2] : [0, 1]) duplicateTo(devNull, standard);
      restrictNextProgram(KEPT);
      program.start();
    } catch {
      exitNow(ExitStatus.FAILURE);
    }
  }
  const isFollowed = waitForChild(pid).status === ExitStatus.OK;
  for (const descriptor of [host.namespace, ownNamespace, host.directory, host.table, theirs, devNull])
    close(descriptor);
  if (isFollowed) return ours;
  complain(
    'warn',
    "the host's mounts in the export are not followed: its mount namespace may not be entered",
  );
  close(ours);
  return undefined;
}

function failure(error: number): StartError {
  return new StartError(
    'mounts-not-followed',
    `cannot follow the host's mounts: ${describeErrno(error)}; see --host-mounts ignore`,
  );
}
