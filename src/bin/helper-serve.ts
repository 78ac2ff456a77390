import { endDebugger } from '../startup/no-debugger.js';
import { enterRoot } from '../helper/confinement/root.js';
import { filterSystemCalls } from '../confinement/seccomp.js';
import { descriptorRequestsPolicy, helperPolicy } from '../helper/confinement/system-call-policy.js';
import { introduceHelper } from '../helper/confinement/watched-helper.js';
import { ExitStatus, StartError } from '../startup/exit-status.js';
import { containment, type Handover, hasOwnMount, isContained } from '../helper/launch/handover.js';
import { complain } from '../startup/journal.js';
import { replaceNullDevices } from '../helper/launch/null-device.js';
import { writePid } from '../startup/pidfile.js';
import { acceptClients } from '../helper/listening/acceptance.js';
import { statusFields, StatusSource } from '../observability/helper-status.js';
import { createLogger, type Logger, LogLines } from '../observability/log.js';
import { Refusals } from '../observability/refusals.js';
import { StandardError } from '../observability/standard-error.js';
import { Statistics } from '../observability/statistics.js';
import { Syslog } from '../observability/syslog.js';
import type { OperationContext } from '../helper/operations/context.js';
import { Frame, MAX_FRAME_BYTES } from '../proxy-protocol/frame.js';
import { STRING } from '../proxy-protocol/replies.js';
import { ExportMount } from '../helper/paths/export-mount.js';
import { PassedDescriptor } from '../helper/paths/passed-descriptor.js';
import { chooseModel } from '../helper/security-models/choose-model.js';
import { Devices } from '../helper/security-models/devices.js';
import type { Multidevs } from '../helper/security-models/model-names.js';
import { noXattrs } from '../helper/security-models/no-xattrs.js';
import { ReadOnly } from '../helper/security-models/read-only.js';
import { Notifier } from '../service/notifications.js';
import type { openControlSocket } from '../helper/session/control.js';
import { namesByOpcode } from '../helper/session/dispatcher.js';
import { inlineTheWayOfARequest } from '../helper/session/inlining.js';
import { InputWait } from '../helper/session/input-wait.js';
import { Session, type SessionEnd } from '../helper/session/session.js';
import { Readiness, turnOfTheEventLoop } from '../startup/readiness.js';
import { describeErrno, errnoName } from '../abi/errno-text.js';
import { close, fchdir } from '../syscalls/files.js';
import { Destination } from '../syscalls/libc.js';
import { stableMemory } from '../syscalls/memory.js';
import { exitNow, MonotonicClock, setNotDumpable } from '../syscalls/process.js';
import { peerCredentials } from '../syscalls/sockets.js';
import { FileStatus, FileSystemStatus, fstat, fstatfs } from '../syscalls/status.js';
import { Connection } from '../helper/transport/connection.js';
import { DescriptorConnection } from '../helper/transport/descriptor-connection.js';

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
    if (failed < 0) throw new StartError(`cannot enter the export: ${describeErrno(failed)}`);
    return;
  }
  const failed = enterRoot(rootChanger, directory);
  if (failed >= 0) return;
  log.warn(
    { error: errnoName(failed) },
    "the export's mount is not nosuid, nodev and noexec: who takes over QEMU can open devices that the guest made",
  );
}

/** Wires what carries out the operations. */
function operationContext(
  handover: Handover,
  log: Logger,
  refusals: Refusals,
  passed: PassedDescriptor | undefined,
): OperationContext {
  const { directory } = handover.export;
  const fileSystem = new FileSystemStatus();
  let failed = fstatfs(directory, fileSystem);
  const status = new FileStatus();
  if (failed < 0 || (failed = fstat(directory, status)) < 0) {
    throw new StartError(`cannot use the export: ${describeErrno(failed)}`);
  }
  const writable = chooseModel(handover.model, handover.ids, {
    directory,
    contained: isContained(handover),
    fileSystem: fileSystem.type,
    ownDescriptors: handover.ownDescriptors,
    refused: () => {
      refusals.report('refused to open a special file', { error: 'ENXIO' });
    },
    idRefused: (request, refused) => {
      refusals.report('refused an id that is not mapped', { request, error: 'EPERM', ...refused });
    },
    passed,
    die: (reason) => {
      log.fatal(reason);
      return exitNow(ExitStatus.UNSAFE);
    },
  });
  const refuseChange = (request: string): void => {
    refusals.report('refused a change of a read-only export', { request, error: 'EROFS' });
  };
  const model = handover.readOnly ? new ReadOnly(writable, refuseChange) : writable;
  const reply = new Frame(stableMemory(MAX_FRAME_BYTES));
  const otherDevice = (mode: Multidevs, device: string): void => {
    if (mode === 'forbid') refusals.report('refused a file of another device', { device, error: 'ENODEV' });
    else log.warn({ device }, 'the export has several devices: files of two may have the same inode number');
  };
  return {
    model,
    devices: new Devices(status, handover.model.multidevs, otherDevice),
    xattrs: handover.model.xattrs ? model : noXattrs,
    reply,
    replyString: new Destination(reply.bytes.subarray(STRING)),
    status,
    fileSystem,
  };
}

type MakeConnection = (socket: number, reply: Frame) => Connection;

/** What requests about a descriptor take beside others; undefined without them. */
function descriptorRequests(
  handover: Handover,
  log: Logger,
): { passed: PassedDescriptor; makeConnection: MakeConnection } | undefined {
  if (!handover.descriptorRequests) return undefined;
  const mount = new ExportMount(hasOwnMount(handover) ? handover.export.directory : undefined);
  if (!mount.isKnown) log.warn('the export has no mount of its own: requests about descriptors are refused');
  const passed = new PassedDescriptor();
  const check = (descriptor: number): number => mount.check(descriptor);
  return {
    passed,
    makeConnection: (socket, reply) => new DescriptorConnection(socket, reply, passed, check),
  };
}

/** Ends the process without Node's own clean-up, which takes milliseconds and has nothing to clean up here. */
function leave(status: number, readiness: Readiness): never {
  readiness.notifier.stopping();
  return exitNow(status);
}

function startSession(
  descriptor: number,
  makeConnection: MakeConnection,
  handover: Handover,
  statistics: Statistics,
  context: OperationContext,
  log: Logger,
  refusals: Refusals,
  readiness: Readiness,
): Session {
  const { path } = handover.export;
  const { notifier } = readiness;
  const connection = makeConnection(descriptor, context.reply);
  const clock = new MonotonicClock();
  const wait = new InputWait(connection, clock, handover.pollCeiling);
  const ended = (end: SessionEnd): never => {
    if (end === 'closed') log.info({ requests: session.served }, 'the client has left');
    return leave(exitStatus[end], readiness);
  };
  const client = `uid ${peerCredentials(descriptor)?.uid ?? 'unknown'}`;
  const status = (): string => `serving ${path} to ${client}, ${session.served} requests so far`;
  const woken = (): void => {
    notifier.statusSoon(status);
  };
  const session = new Session(
    descriptor,
    connection,
    wait,
    clock,
    statistics,
    context,
    log,
    refusals,
    ended,
    notifier.connected ? woken : undefined,
  );
  notifier.status(status());
  log.info({ export: path, ...containment(handover) }, 'serving a client');
  return session;
}

/**
 * Makes everything, then gives up what only making it took, all in one turn of the event loop: no request is looked at
 * before. Nothing of Node may look for a file afterwards, as it would find the guest's (libuv opens /dev/null for its
 * first stream).
 *
 * @returns what begins to serve
 */
function start(
  handover: Handover,
  { log, lines }: Logging,
  readiness: Readiness,
  openControl: typeof openControlSocket | undefined,
): () => void {
  const { socket, seccomp } = handover;
  const statistics = new Statistics(namesByOpcode());
  const identity = { export: handover.export.path, readOnly: handover.readOnly };
  const source = new StatusSource(identity, statistics, lines);
  if (handover.control !== undefined) openControl?.(handover.control, () => source.status());
  const refusals = new Refusals(log);
  const aboutDescriptors = descriptorRequests(handover, log);
  const makeConnection =
    aboutDescriptors?.makeConnection ?? ((client, reply): Connection => new Connection(client, reply));
  const context = operationContext(handover, log, refusals, aboutDescriptors?.passed);
  let session: Session | undefined;
  let begun = false;
  const connected = (descriptor: number): void => {
    session = startSession(
      descriptor,
      makeConnection,
      handover,
      statistics,
      context,
      log,
      refusals,
      readiness,
    );
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
    acceptClients(socket, first, refused);
    readiness.notifier.status(`waiting for a client of ${handover.export.path}`);
  } else {
    connected(socket.descriptor);
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      log.info(`stopped by ${signal}`);
      if (session === undefined) leave(ExitStatus.OK, readiness);
      session.end();
    });
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
  return () => {
    begun = true;
    session?.begin();
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
  let begin: () => void;
  try {
    const control = handover.control === undefined ? undefined : await import('../helper/session/control.js');
    process.on('uncaughtException', (error) => {
      readiness.fail(`a bug: ${error.message}`);
      log.fatal({ err: error }, 'a bug ends the helper');
      exitNow(ExitStatus.FAILURE);
    });
    begin = start(handover, { log, lines }, readiness, control?.openControlSocket);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    if (!readiness.fail(error.message)) complain('error', error.message, handover.journal);
    // at once: the event loop must not get to the client, which would be served without confinement
    process.exit(error.status);
  }
  await turnOfTheEventLoop();
  readiness.tell();
  begin();
}

process.title = 'virtfs-proxy-helper';
void main(JSON.parse(process.argv[2] ?? '{}') as Handover);
