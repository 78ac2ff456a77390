import '../startup/no-debugger.js';
import { basename, dirname, join } from 'node:path';
import { clientOptions, type ClientStart } from '../helper/listening/client-start.js';
import { ExitStatus } from '../startup/exit-status.js';
import type { ListeningHandover } from '../helper/launch/listener.js';
import { openNullDeviceOfLibuv, replaceNullDevices } from '../helper/launch/null-device.js';
import { writePid } from '../startup/pidfile.js';
import { Readiness } from '../startup/readiness.js';
import { runServing, type Serving } from '../startup/serving-program.js';
import { acceptUsers } from '../helper/listening/acceptance.js';
import { ClientProcesses } from '../helper/listening/client-processes.js';
import { clientControlPath } from '../observability/control-paths.js';
import { createLogger, type Logger, LogLines } from '../observability/log.js';
import { LineLimit, Refusals } from '../observability/refusals.js';
import { StandardError } from '../observability/standard-error.js';
import { Syslog } from '../observability/syslog.js';
import { Notifier } from '../service/notifications.js';
import * as errno from '../abi/errno.js';
import { unlinkat } from '../syscalls/files.js';
import { cString } from '../syscalls/memory.js';
import { closeAllOnExec } from '../syscalls/process.js';
import { FileStatus, lstat } from '../syscalls/status.js';

/**
 * The listening program of --keep-listening: accepts clients and starts a process for each, which confines itself. It
 * reads nothing from any of them. Started by `launch/`, never by hand.
 */

/** How long the clients' processes have to end when told so: milliseconds. */
const END_MS = 10_000;

/** @returns what ends it, and its clients */
function start(handover: ListeningHandover, log: Logger, notifier: Notifier): Serving['stop'] {
  const { client: configuration, socket, socketPath, daemon, controlDirectory } = handover;
  const refusals = new Refusals(log);
  // what is limited for each session is not for a client that has session after session
  const sessions = new LineLimit();
  let stopping = false;
  const tellStatus = (): void => {
    const { running, count } = clients;
    notifier.status(`serving ${configuration.exportPath} to ${running} clients, ${count} so far`);
  };
  const options = clientOptions(configuration);
  // not where every request was asked for
  const warnings = ['warn', 'info', 'debug'].includes(configuration.logLevel);
  const clients = new ClientProcesses(
    (client, descriptors) => {
      const isOneOfMany = sessions.take() === undefined;
      if (isOneOfMany) refusals.report('many clients: errors only in the log of this one', { client });
      const argument: ClientStart = {
        options: isOneOfMany && warnings ? { ...options, 'log-level': 'error' } : options,
        descriptors,
        client,
        syslog: daemon,
      };
      return [join(dirname(process.argv[1] ?? ''), 'client.js'), JSON.stringify(argument)];
    },
    daemon,
    (client, end, unserved) => {
      // its root is the export: it cannot remove that itself
      if (configuration.control !== undefined && controlDirectory !== undefined) {
        unlinkat(controlDirectory, cString(basename(clientControlPath(configuration.control, client))), 0);
      }
      if (unserved !== undefined)
        refusals.report(
          'cannot serve a client',
          { client, code: unserved.code, why: unserved.message },
          'error',
        );
      else if (end.status !== ExitStatus.OK)
        refusals.report('the session of a client failed', { client, ...end });
      if (clients.running > 0) tellStatus();
      else if (stopping) process.exit(ExitStatus.OK);
      else if (isGone(socketPath)) {
        log.error(
          `the socket ${socketPath} was removed, so nobody can connect any more; see --keep-listening`,
        );
        process.exit(ExitStatus.FAILURE);
      } else tellStatus();
    },
  );
  const server = acceptUsers(
    socket,
    (descriptor, uid) => {
      if (!clients.take(descriptor, uid)) refusals.report('refused a client: there are too many', { uid });
      tellStatus();
      return true;
    },
    (uid) => {
      refusals.report('refused a client that is neither the socket owner nor root', { uid });
    },
  );
  process.on('SIGUSR1', () => {
    clients.signal('SIGUSR1');
  });
  openNullDeviceOfLibuv();
  if (handover.pidfile !== undefined) writePid(handover.pidfile, process.pid);
  if (handover.nullDevice !== undefined) replaceNullDevices(handover.nullDevice, handover.report);
  log.info({ export: configuration.exportPath }, 'waiting for clients');
  tellStatus();
  return (signal) => {
    log.info(`stopped by ${signal}`);
    notifier.stopping();
    stopping = true;
    server.close();
    clients.dropWaiting();
    clients.signal(signal);
    if (clients.running === 0) process.exit(ExitStatus.OK);
    setTimeout(() => {
      clients.signal('SIGKILL');
    }, END_MS);
  };
}

/** Whether the name of the socket that we made is gone: QEMU removes it when it may. */
function isGone(path: string | undefined): boolean {
  return path !== undefined && lstat(cString(path), new FileStatus()) === -errno.ENOENT;
}

async function main(handover: ListeningHandover): Promise<void> {
  // nothing of ours is for the processes of the clients
  closeAllOnExec();
  const { logLevel, logFormat } = handover.client;
  const output = handover.daemon ? new Syslog(true) : new StandardError(handover.journal);
  const log = createLogger(logLevel, logFormat, new LogLines(output, logFormat));
  const notifier = new Notifier(handover.notify);
  const readiness = new Readiness({ notifier, report: handover.report, background: handover.daemon });
  await runServing({
    name: 'listener',
    log,
    readiness,
    journal: handover.journal,
    // it accepts clients from now on, but their processes come no sooner than the event loop's next turn
    start: () => ({ begin: () => undefined, stop: start(handover, log, notifier) }),
  });
}

process.title = 'virtfs-proxy-helper';
void main(JSON.parse(process.argv[2] ?? '{}') as ListeningHandover);
