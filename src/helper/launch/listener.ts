import { usageError } from '../../startup/start-errors.js';
import { LISTENER_VARIABLE } from '../../observability/control-paths.js';
import { join } from 'node:path';
import type { Configuration } from '../cli/configuration.js';
import {
  CAP_SETPCAP,
  CAP_SYS_ADMIN,
  CAP_SYS_CHROOT,
  type Capability,
} from '../../confinement/capabilities.js';
import type { NotifyChannel } from '../../service/notifications.js';
import { umask } from '../../syscalls/files.js';
import { waitForOtherThreads } from '../../startup/background-threads.js';
import { controlPlace } from '../../startup/control-socket.js';
import { inBackground, reportChannel } from '../../startup/daemon.js';
import type { ReadySocket } from './endpoint.js';
import { findExport } from './export-path.js';
import { stderrIsJournal } from '../../startup/journal.js';
import { notifyChannelOf } from './manager.js';
import { lockPidfile, type Pidfile } from '../../startup/pidfile.js';
import { clearGroups, restrictNextProgram } from '../../confinement/rights.js';
import { openNullDevice } from './null-device.js';
import { NextProgram } from '../../startup/program.js';
import { registerExport } from './served-exports.js';
import { readySocket } from './socket.js';

/** What the starting program gives to the listening one that takes its place, as JSON in its only argument. */
export interface ListeningHandover {
  /** What each client is served with; what concerns the listener alone is taken out. */
  readonly client: Configuration;
  readonly socket: ReadySocket;
  /** The name of the socket, when it is one that we made. */
  readonly socketPath: string | undefined;
  readonly daemon: boolean;
  readonly report: number | undefined;
  readonly notify: NotifyChannel | undefined;
  readonly pidfile: Pidfile | undefined;
  /** What `null-device.ts` opens. */
  readonly nullDevice: number | undefined;
  /** The directory of the clients' control sockets; undefined without them. */
  readonly controlDirectory: number | undefined;
  /** Whether stderr is systemd's journal. */
  readonly journal: boolean;
}

/** What starting a client's process takes beside what that keeps; a listener has no use for more. */
const toStartClients: readonly Capability[] = [CAP_SYS_CHROOT, CAP_SYS_ADMIN, CAP_SETPCAP];

/**
 * Prepares and becomes the listening program, as `launch` does for the serving one. Throws a StartError.
 *
 * @param kept the capabilities that the clients' programs keep
 */
export async function startListening(
  configuration: Configuration,
  directory: string,
  kept: readonly Capability[],
): Promise<void> {
  const { endpoint, daemon } = configuration;
  // each client's process opens it anew; what is wrong with it shall be told now
  const found = findExport(configuration.exportPath, configuration.pathBase);
  const registered = registerExport(configuration.exportPath, found, configuration.readOnly);
  clearGroups();
  umask(0);
  const pidfile = configuration.pidfile === undefined ? undefined : lockPidfile(configuration.pidfile);
  const controlDirectory =
    configuration.control === undefined ? undefined : controlPlace(configuration.control).directory;
  const socket = await readySocket(configuration);
  if (!socket.listening)
    throw usageError(
      '--keep-listening: needs a listening socket, this one is connected',
      undefined,
      'socket-is-connected',
    );
  const channel = daemon ? reportChannel() : undefined;
  const notify = notifyChannelOf(process);
  const nullDevice = openNullDevice();
  const handover: ListeningHandover = {
    client: {
      ...configuration,
      keepListening: false,
      daemon: false,
      pidfile: undefined,
      readyDescriptor: undefined,
    },
    socket,
    socketPath: endpoint.kind === 'path' ? endpoint.path : undefined,
    daemon,
    report: channel?.toParent ?? configuration.readyDescriptor,
    notify,
    pidfile,
    nullDevice,
    controlDirectory,
    journal: !daemon && stderrIsJournal(),
  };
  const descriptors = [
    socket.descriptor,
    handover.report,
    notify?.socket,
    pidfile?.lock,
    pidfile?.writable,
    nullDevice,
    controlDirectory,
    registered,
  ];
  // the second is for the clients' programs, which ask for themselves what their stderr is
  const { NODE_OPTIONS, JOURNAL_STREAM } = process.env;
  const variables = { NODE_OPTIONS, JOURNAL_STREAM, [LISTENER_VARIABLE]: configuration.exportPath };
  const program = new NextProgram(join(directory, 'listen.js'), handover, descriptors, variables);
  restrictNextProgram([...kept, ...toStartClients]);
  waitForOtherThreads();
  if (channel === undefined) program.start();
  else inBackground(channel, notify, () => program.start());
}
