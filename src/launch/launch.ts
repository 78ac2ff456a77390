import type { Configuration } from '../cli/configuration.js';
import { forkRootChanger } from '../confinement/root.js';
import { StartError } from '../exit-status.js';
import { describeErrno } from '../syscalls/errno.js';
import { AT_FDCWD, O_DIRECTORY, O_PATH, openat, umask } from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import { groupId, userId } from './accounts.js';
import { inBackground, reportChannel } from './daemon.js';
import { inheritedSocket, listenAt, type ReadySocket } from './endpoint.js';
import { checkPrivileges, clearGroups, restrictNextProgram } from './privileges.js';
import { ServingProgram } from './program.js';

/**
 * Does everything that takes full privileges, in order, and then becomes the serving program, which never has them.
 * Returns only in the foreground process of a daemon, when the daemon is ready. Throws a StartError.
 *
 * The open-file limit needs nothing here: Node raises it to the hard limit when it starts.
 */
export async function launch(configuration: Configuration): Promise<void> {
  const { endpoint, exportPath, daemon, logLevel, logFormat } = configuration;
  checkPrivileges();
  const exportDirectory = openExport(exportPath);
  clearGroups();
  umask(0);
  const socket: ReadySocket =
    endpoint.kind === 'descriptor'
      ? inheritedSocket(endpoint.descriptor)
      : listenAt(
          endpoint.path,
          endpoint.uid === undefined ? (process.getuid?.() ?? 0) : await userId(endpoint.uid),
          endpoint.gid === undefined ? (process.getgid?.() ?? 0) : await groupId(endpoint.gid),
        );

  const rootChanger = forkRootChanger(exportDirectory);
  const channel = daemon ? reportChannel() : undefined;
  const program = new ServingProgram({
    exportPath,
    exportDirectory,
    socket,
    rootChanger,
    report: channel?.toParent,
    logLevel,
    logFormat,
  });
  restrictNextProgram();
  const start = (): never => program.start();
  if (channel === undefined) start();
  else inBackground(channel, start);
}

function openExport(path: string): number {
  const directory = openat(AT_FDCWD, cString(path), O_PATH | O_DIRECTORY, 0);
  if (directory < 0) throw new StartError(`cannot export ${path}: ${describeErrno(directory)}`);
  return directory;
}
