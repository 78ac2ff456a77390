import { accessSync, constants } from 'node:fs';
import { argumentsOfNode } from '../../cli/command-line.js';
import { CAP_SETPCAP, CAP_SYS_CHROOT } from '../../confinement/capabilities.js';
import { forkEmptyRoot } from '../../confinement/empty-root.js';
import { leaveNetwork } from '../../confinement/namespaces.js';
import { clearGroups, hasCapabilities, restrictNextProgram, takeIds } from '../../confinement/rights.js';
import { refuseIoUring } from '../../confinement/seccomp.js';
import { CONTROL_VARIABLE } from '../../observability/control-paths.js';
import { keepWorkOnThisThread, waitForOtherThreads } from '../../startup/background-threads.js';
import { requireOpenFiles } from '../../startup/limits.js';
import { StartError } from '../../startup/start-errors.js';
import { stderrIsJournal } from '../../startup/journal.js';
import { NextProgram } from '../../startup/program.js';
import { umask } from '../../syscalls/files.js';
import { forbidCores } from '../../syscalls/process.js';
import type { ServerHandover, ServerStart } from './handover.js';

/** Descriptors that a server has beside those for its guest's files and locks, and some to spare. */
const OWN_OPEN_FILES = 64;
/** Threads of libuv's pool: as many reads and writes of a guest can wait for a disk before further ones wait for a thread. */
const POOL_THREADS = 16;

/**
 * Does what takes rights, in order, and then becomes the server, which never has any. Throws a StartError.
 *
 * @param program the file of the server
 */
export async function launchServer(start: ServerStart, program: string): Promise<never> {
  keepWorkOnThisThread();
  forbidCores();
  umask(0);
  const { descriptors } = start.limits;
  await requireOpenFiles(`--max-open ${descriptors}`, descriptors + OWN_OPEN_FILES);
  const isRoot = start.ids !== undefined;
  // an ordinary user has them in a namespace of his own, which few starts need
  const whyNoRoot = hasCapabilities([CAP_SYS_CHROOT, CAP_SETPCAP])
    ? undefined
    : (await import('../../confinement/user-namespace.js')).enterUserNamespace(argumentsOfNode());
  waitForOtherThreads();
  const network = whyNoRoot ?? leaveNetwork();
  const rootChanger = whyNoRoot === undefined ? forkEmptyRoot() : undefined;
  const handover: ServerHandover = {
    ...start,
    rootChanger,
    kept: {
      ...(whyNoRoot === undefined ? {} : { root: whyNoRoot }),
      ...(network === undefined ? {} : { network }),
    },
    journal: stderrIsJournal(),
  };
  const next = new NextProgram(
    program,
    handover,
    [
      start.helper,
      start.furtherHelpers,
      start.client.descriptor,
      start.control,
      start.report,
      start.heartbeat?.descriptor,
      rootChanger?.socket,
    ],
    {
      NODE_OPTIONS: process.env['NODE_OPTIONS'],
      UV_THREADPOOL_SIZE: String(POOL_THREADS),
      [CONTROL_VARIABLE]: process.env[CONTROL_VARIABLE],
    },
  );
  if (isRoot) clearGroups();
  restrictNextProgram([], whyNoRoot === undefined);
  refuseIoUring(start.seccomp);
  if (start.ids !== undefined) takeIds(start.ids);
  for (const file of [process.execPath, program]) requireReadable(file);
  return next.start();
}

function requireReadable(file: string): void {
  try {
    accessSync(file, constants.R_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StartError(
      'program-unreadable',
      `user ${process.getuid?.()} cannot read ${file} (${code}): install it where everybody can, or choose another user with --run-as`,
    );
  }
}
