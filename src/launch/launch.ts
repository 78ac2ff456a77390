import type { Configuration, Endpoint } from '../cli/configuration.js';
import { forkRootChanger } from '../confinement/root.js';
import { StartError } from '../exit-status.js';
import { umask } from '../syscalls/files.js';
import { Notifier, notifyChannel } from '../service/notifications.js';
import { groupId, userId } from './accounts.js';
import { keepWorkOnThisThread, waitForOtherThreads } from './background-threads.js';
import { prepareControlSocket } from './control.js';
import { inBackground, reportChannel } from './daemon.js';
import { inheritedSocket, listenAt, type ReadySocket } from './endpoint.js';
import { openExport, requireUserXattrs } from './export.js';
import { complain, stderrIsJournal } from './journal.js';
import { limitOpenFiles } from './limits.js';
import { openOwnDescriptors, renewOwnDescriptors } from './own-descriptors.js';
import { lockPidfile } from './pidfile.js';
import { checkPrivileges, clearGroups, restrictNextProgram } from './privileges.js';
import { ServingProgram } from './program.js';
import { checkReportDescriptor, report } from './report.js';

/**
 * Starts the helper, and tells the descriptor of --ready-fd, if there is one, why it could not. Returns only in the
 * foreground process of a daemon, when the daemon is ready, and after a failure that was told. Throws a StartError.
 */
export async function launch(configuration: Configuration, servingProgram: string): Promise<void> {
  const { readyDescriptor } = configuration;
  if (readyDescriptor !== undefined) checkReportDescriptor(readyDescriptor);
  try {
    await prepareAndStart(configuration, servingProgram);
  } catch (error) {
    if (!(error instanceof StartError) || readyDescriptor === undefined) throw error;
    report(readyDescriptor, error.message);
    process.exitCode = error.status;
  }
}

/**
 * Does everything that takes full privileges, in order, and then becomes the serving program, which never has them.
 */
async function prepareAndStart(configuration: Configuration, servingProgram: string): Promise<void> {
  const { endpoint, daemon, readyDescriptor } = configuration;
  keepWorkOnThisThread();
  checkPrivileges();
  const exported = openExport(configuration.exportPath);
  if (configuration.model.name === 'mapped-xattr') requireUserXattrs(exported);
  clearGroups();
  umask(0);
  if (configuration.openFiles !== undefined) await limitOpenFiles(configuration.openFiles);
  // before the sockets, which belong to the other helper if there is one
  const pidfile = configuration.pidfile === undefined ? undefined : lockPidfile(configuration.pidfile);
  if (configuration.control !== undefined) prepareControlSocket(configuration.control);
  const socket = await readySocket(endpoint);
  waitForOtherThreads();
  const rootChanger = forkRootChanger(exported.directory, exported.isMount);
  const ownDescriptors = openOwnDescriptors();
  const channel = daemon ? reportChannel() : undefined;
  const notify = notifyChannel(process.env, process.pid, (reason) => {
    complain('warn', reason);
  });
  const program = new ServingProgram(servingProgram, {
    export: exported,
    socket,
    ownDescriptors,
    control: configuration.control,
    rootChanger,
    daemon,
    report: channel?.toParent ?? readyDescriptor,
    notify,
    pidfile,
    readOnly: configuration.readOnly,
    ids: configuration.ids,
    model: configuration.model,
    seccomp: configuration.seccomp,
    pollCeiling: configuration.pollCeiling,
    logLevel: configuration.logLevel,
    logFormat: configuration.logFormat,
    journal: !daemon && stderrIsJournal(),
  });
  restrictNextProgram();
  const start = (): never => program.start();
  if (channel === undefined) start();
  else {
    inBackground(
      channel,
      () => {
        renewOwnDescriptors(ownDescriptors);
        return start();
      },
      (pid) => {
        new Notifier(notify).mainProcess(pid);
      },
    );
  }
}

async function readySocket(endpoint: Endpoint): Promise<ReadySocket> {
  const { uid, gid } = endpoint;
  const owner = uid === undefined ? undefined : await userId(uid, '--uid');
  const allowed: number[] = [];
  for (const user of endpoint.allowed) allowed.push(await userId(user, '--allow-uid'));
  if (endpoint.kind === 'descriptor') {
    // the caller made the socket and its permissions; who connects is checked only when somebody was named
    const named = owner === undefined ? allowed : [owner, ...allowed];
    return inheritedSocket(endpoint.descriptor, endpoint.origin, named.length > 0 ? named : undefined);
  }
  const group = gid === undefined ? (process.getgid?.() ?? 0) : await groupId(gid);
  return listenAt(endpoint.path, owner ?? process.getuid?.() ?? 0, group, allowed);
}
