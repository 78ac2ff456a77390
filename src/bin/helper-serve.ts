import { endDebugger } from '../startup/no-debugger.js';
import { enterRoot } from '../helper/confinement/root.js';
import { filterSystemCalls } from '../confinement/seccomp.js';
import { descriptorRequestsPolicy, helperPolicy } from '../helper/confinement/system-call-policy.js';
import { introduceHelper } from '../helper/confinement/watched-helper.js';
import { ExitStatus } from '../startup/exit-status.js';
import { StartError } from '../startup/start-errors.js';
import { containment, type Handover, isContained } from '../helper/launch/handover.js';
import { openNullDeviceOfLibuv, replaceNullDevices } from '../helper/launch/null-device.js';
import { writePid } from '../startup/pidfile.js';
import { assembleOperations, type Operations } from '../helper/assembly/operations.js';
import { answerAll } from '../accepting/answers.js';
import { acceptUsers } from '../helper/listening/acceptance.js';
import { statusFields, StatusSource } from '../observability/helper-status.js';
import { createLogger, type Logger, LogLines } from '../observability/log.js';
import { Refusals } from '../observability/refusals.js';
import { StandardError } from '../observability/standard-error.js';
import { Statistics } from '../observability/statistics.js';
import { Syslog } from '../observability/syslog.js';
import { Notifier } from '../service/notifications.js';
import { namesByOpcode } from '../helper/operations/table.js';
import { inlineTheWayOfARequest } from '../helper/session/inlining.js';
import { InputWait } from '../syscalls/input-wait.js';
import { Session, type SessionEnd } from '../helper/session/session.js';
import { Readiness } from '../startup/readiness.js';
import { runServing, type Serving } from '../startup/serving-program.js';
import { describeErrno, errnoName } from '../abi/errno-text.js';
import { close, fchdir } from '../syscalls/files.js';
import { exitNow, MonotonicClock, setNotDumpable } from '../syscalls/process.js';
import { peerCredentials } from '../syscalls/sockets.js';

/** The serving program: confines itself to the export and serves one client. Started by `launch/`, never by hand. */

const exitStatus: Readonly<Record<SessionEnd, number>> = {
  closed: ExitStatus.OK,
  stopped: ExitStatus.OK,
  failed: ExitStatus.FAILURE,
  violation: ExitStatus.PROTOCOL_VIOLATION,
};

/** The log, and what is known of its lines. */
interface Logging {
  readonly log: Logger;
  readonly lines: LogLines;
}

/** Makes the export the root directory, or only the working directory where that is not allowed. Throws a StartError. */
function enterExport({ rootChanger, export: { directory } }: Handover, log: Logger): void {
  if (rootChanger === undefined) {
    const failed = fchdir(directory);
    if (failed < 0)
      throw new StartError('root-not-changed', `cannot enter the export: ${describeErrno(failed)}`);
    return;
  }
  const failed = enterRoot(rootChanger, directory);
  if (failed >= 0) return;
  log.warn(
    { error: errnoName(failed) },
    "the export's mount is not nosuid, nodev and noexec: who takes over QEMU can open devices that the guest made",
  );
}

/** Ends the process without Node's own clean-up, which takes milliseconds and has nothing to clean up here. */
function leave(status: number, readiness: Readiness): never {
  readiness.notifier.stopping();
  return exitNow(status);
}

/** What a session takes that is there before its client. */
interface Surroundings {
  readonly handover: Handover;
  readonly operations: Operations;
  readonly statistics: Statistics;
  readonly log: Logger;
  readonly refusals: Refusals;
  readonly readiness: Readiness;
}

function startSession(descriptor: number, surroundings: Surroundings): Session {
  const { handover, operations, readiness, ...parts } = surroundings;
  const { log } = parts;
  const { notifier } = readiness;
  const clock = new MonotonicClock();
  const connection = operations.connect(descriptor);
  const client = `uid ${peerCredentials(descriptor)?.uid ?? 'unknown'}`;
  const status = (): string =>
    `serving ${handover.export.path} to ${client}, ${session.served} requests so far`;
  const session = new Session(
    {
      ...parts,
      descriptor,
      connection,
      clock,
      wait: new InputWait(connection, clock, handover.pollCeiling),
      context: operations.context,
    },
    {
      ended: (end) => {
        if (end === 'closed') log.info({ requests: session.served }, 'the client has left');
        return leave(exitStatus[end], readiness);
      },
      woken: () => {
        if (notifier.connected) notifier.statusSoon(status);
      },
    },
  );
  notifier.status(status());
  log.info({ export: handover.export.path, ...containment(handover) }, 'serving a client');
  return session;
}

/**
 * Makes everything, then gives up what only making it took, all in one turn of the event loop: no request is looked at
 * before. Nothing of Node may look for a file afterwards, as it would find the guest's (libuv opens /dev/null for its
 * first stream).
 *
 * @returns what serves
 */
function start(handover: Handover, { log, lines }: Logging, readiness: Readiness): Serving {
  const { socket, seccomp } = handover;
  openNullDeviceOfLibuv();
  const statistics = new Statistics(namesByOpcode());
  const identity = { export: handover.export.path, readOnly: handover.readOnly };
  const source = new StatusSource(identity, statistics, lines);
  if (handover.control !== undefined) answerAll(handover.control, () => JSON.stringify(source.status()));
  const refusals = new Refusals(log);
  const operations = assembleOperations(handover, { log, refusals });
  const surroundings = { handover, operations, statistics, log, refusals, readiness };
  let session: Session | undefined;
  let begun = false;
  const connected = (descriptor: number): void => {
    session = startSession(descriptor, surroundings);
    source.connected(peerCredentials(descriptor));
    if (begun) session.begin();
  };
  const refused = (uid: number | undefined): void => {
    refusals.report('refused a client that is neither the socket owner nor root', { uid });
  };
  if (socket.listening) {
    const first = (descriptor: number): false => {
      connected(descriptor);
      return false;
    };
    acceptUsers(socket, first, refused);
    readiness.notifier.status(`waiting for a client of ${handover.export.path}`);
  } else {
    connected(socket.descriptor);
  }
  process.on('SIGUSR1', () => {
    log.info(statusFields(source.status()), 'statistics');
  });
  if (handover.pidfile !== undefined) writePid(handover.pidfile, process.pid);
  if (handover.nullDevice !== undefined) replaceNullDevices(handover.nullDevice, handover.report);
  setNotDumpable();
  enterExport(handover, log);
  if (handover.mountFollower !== undefined && !introduceHelper(handover.mountFollower))
    log.warn(
      "the host's mounts in the export are not followed: the process that does it has ended, or hangs",
    );
  if (isContained(handover)) close(handover.export.directory);
  filterSystemCalls(seccomp, handover.descriptorRequests ? descriptorRequestsPolicy : helperPolicy);
  endDebugger();
  return {
    begin: () => {
      begun = true;
      session?.begin();
    },
    stop: (signal) => {
      log.info(`stopped by ${signal}`);
      if (session === undefined) leave(ExitStatus.OK, readiness);
      session.end();
    },
  };
}

async function main(handover: Handover): Promise<void> {
  inlineTheWayOfARequest();
  // no second look for syslog's daemon: its path is the guest's after the change of root
  const output = handover.syslog ? new Syslog(false) : new StandardError(handover.journal);
  const lines = new LogLines(output, handover.logFormat);
  const root = createLogger(handover.logLevel, handover.logFormat, lines);
  const log = handover.client === undefined ? root : root.child({ client: handover.client });
  const notifier = new Notifier(handover.notify);
  const readiness = new Readiness({ notifier, report: handover.report, background: handover.syslog });
  await runServing({
    name: 'helper',
    log,
    readiness,
    journal: handover.journal,
    start: () => start(handover, { log, lines }, readiness),
  });
}

process.title = 'virtfs-proxy-helper';
void main(JSON.parse(process.argv[2] ?? '{}') as Handover);
