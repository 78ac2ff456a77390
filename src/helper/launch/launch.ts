import { join } from 'node:path';
import { argumentsOfNode } from '../../cli/command-line.js';
import type { Configuration } from '../cli/configuration.js';
import { forkExportRoot } from '../confinement/root.js';
import { refuseIoUring } from '../../confinement/seccomp.js';
import { lineOf, StartError } from '../../startup/start-errors.js';
import { CONTROL_VARIABLE } from '../../observability/control-paths.js';
import { umask } from '../../syscalls/files.js';
import { forbidCores } from '../../syscalls/process.js';
import { keepWorkOnThisThread, waitForOtherThreads } from '../../startup/background-threads.js';
import { openControlSocket } from '../../startup/control-socket.js';
import { inBackground, reportChannel } from '../../startup/daemon.js';
import { openExport, requireUserXattrs } from './export.js';
import { findExport } from './export-path.js';
import { formerMountsOf } from './former-mounts.js';
import type { Handover } from './handover.js';
import { startMountFollower } from './host-mounts.js';
import { stderrIsJournal } from '../../startup/journal.js';
import { limitOpenFiles, requireOpenFiles } from '../../startup/limits.js';
import { notifyChannelOf } from './manager.js';
import { openNullDevice } from './null-device.js';
import { openOwnDescriptors, renewOwnDescriptors } from './own-descriptors.js';
import { checkSocketIsApart } from './passed-descriptors.js';
import { checkReportDescriptor } from '../../startup/report-descriptor.js';
import { lockPidfile } from '../../startup/pidfile.js';
import { checkPrivileges, isRoots, type Privileges } from './privileges.js';
import { clearGroups, restrictNextProgram } from '../../confinement/rights.js';
import { NextProgram } from '../../startup/program.js';
import { report } from '../../startup/report.js';
import { registerExport } from './served-exports.js';
import { readySocket } from './socket.js';

/** Room for all descriptors that a message can carry, while as many others are being closed. */
const DESCRIPTOR_REQUESTS_OPEN_FILES = 1024;

/** Which of a listener's clients is served. */
export interface ListenersClient {
  readonly number: number;
  /** Whether its log goes where that of a daemon goes. */
  readonly syslog: boolean;
}

/**
 * Starts the helper, and tells the descriptor of --ready-fd, if there is one, why it could not. Returns only in the
 * foreground process of a daemon, when the daemon is ready, and after a failure that was told. Throws a StartError.
 *
 * @param directory where the programs are
 * @param client which client of a listener it is that is served; undefined without a listener
 */
export async function launch(
  configuration: Configuration,
  directory: string,
  client?: ListenersClient,
): Promise<void> {
  const { readyDescriptor } = configuration;
  checkSocketIsApart(configuration);
  if (readyDescriptor !== undefined) checkReportDescriptor(readyDescriptor);
  try {
    keepWorkOnThisThread();
    // refused only where it is 0 already, and may not be raised
    forbidCores();
    const privileges = checkPrivileges(configuration.model);
    if (!configuration.keepListening) await startServing(configuration, directory, client, privileges);
    else if (isRoots(privileges)) {
      const { startListening } = await import('./listener.js');
      await startListening(configuration, directory, privileges.kept);
    } else throw new StartError('root-required', '--keep-listening: must be started as root');
  } catch (error) {
    if (!(error instanceof StartError) || readyDescriptor === undefined) throw error;
    report(readyDescriptor, lineOf(error));
    process.exitCode = error.status;
  }
}

/**
 * Does everything that takes full privileges, in order, and then becomes the serving program, which never has them.
 */
async function startServing(
  configuration: Configuration,
  directory: string,
  client: ListenersClient | undefined,
  privileges: Privileges,
): Promise<void> {
  const isRoot = isRoots(privileges);
  // few starts need it, and all would pay for node:child_process
  const whyNoRoot = privileges.canConfine
    ? undefined
    : (await import('../../confinement/user-namespace.js')).enterUserNamespace(argumentsOfNode());
  const { daemon, readyDescriptor } = configuration;
  const found = findExport(configuration.exportPath, configuration.pathBase);
  const registered = registerExport(configuration.exportPath, found, configuration.readOnly);
  const follow = isRoot && configuration.followMounts;
  const exported = openExport(configuration.exportPath, found.directory, follow);
  if (configuration.model.name === 'mapped-xattr') requireUserXattrs(exported);
  const remembered = isRoot && configuration.descriptorRequests ? formerMountsOf(exported) : [];
  // an ordinary user cannot drop his; nothing of what they allow him is for the guest to ask for by an id
  if (isRoot) clearGroups();
  umask(0);
  if (configuration.openFiles !== undefined) await limitOpenFiles(configuration.openFiles);
  if (configuration.descriptorRequests)
    await requireOpenFiles('--descriptor-requests', DESCRIPTOR_REQUESTS_OPEN_FILES);
  // before the sockets, which belong to the other helper if there is one
  const pidfile = configuration.pidfile === undefined ? undefined : lockPidfile(configuration.pidfile);
  const control = configuration.control === undefined ? undefined : openControlSocket(configuration.control);
  // the path is out of reach when the helper ends
  control?.file.release();
  const socket = await readySocket(configuration, isRoot);
  waitForOtherThreads();
  const rootChanger = whyNoRoot === undefined ? forkExportRoot(exported, configuration.readOnly) : undefined;
  const log = {
    format: configuration.logFormat,
    syslog: daemon || client?.syslog === true,
    journal: !daemon && stderrIsJournal(),
    warns: !['error', 'fatal', 'silent'].includes(configuration.logLevel),
  };
  const mountFollower =
    rootChanger === undefined || exported.host === undefined
      ? undefined
      : startMountFollower(exported, exported.host, { readOnly: configuration.readOnly, log }, directory);
  const ownDescriptors = openOwnDescriptors();
  const channel = daemon ? reportChannel() : undefined;
  const notify = notifyChannelOf(process);
  const nullDevice = openNullDevice();
  const handover: Handover = {
    export: exported,
    socket,
    ownDescriptors,
    control: control?.descriptor,
    rootChanger,
    mountFollower,
    whyNoRoot,
    syslog: log.syslog,
    client: client?.number,
    report: channel?.toParent ?? readyDescriptor,
    notify,
    pidfile,
    nullDevice,
    readOnly: configuration.readOnly,
    descriptorRequests: configuration.descriptorRequests,
    formerMounts: [...new Set([...configuration.formerMounts, ...remembered])],
    ids: configuration.ids,
    model: configuration.model,
    seccomp: configuration.seccomp,
    pollCeiling: configuration.pollCeiling,
    logLevel: configuration.logLevel,
    logFormat: configuration.logFormat,
    journal: log.journal,
  };
  const program = new NextProgram(
    join(directory, 'serve.js'),
    handover,
    [
      socket.descriptor,
      exported.directory,
      ownDescriptors,
      rootChanger?.socket,
      mountFollower,
      handover.report,
      notify?.socket,
      pidfile?.lock,
      pidfile?.writable,
      nullDevice,
      control?.descriptor,
      registered,
    ],
    { NODE_OPTIONS: process.env['NODE_OPTIONS'], [CONTROL_VARIABLE]: configuration.control },
  );
  restrictNextProgram(privileges.kept, privileges.canConfine);
  refuseIoUring(configuration.seccomp);
  if (channel === undefined) program.start();
  else
    inBackground(channel, notify, () => {
      renewOwnDescriptors(ownDescriptors);
      return program.start();
    });
}
