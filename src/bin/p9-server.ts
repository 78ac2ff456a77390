import { endDebugger } from '../startup/no-debugger.js';
import { answerAll } from '../accepting/answers.js';
import { enterEmptyRoot } from '../confinement/empty-root.js';
import { filterSystemCalls } from '../confinement/seccomp.js';
import { createLogger, type Logger, LogLines } from '../observability/log.js';
import { Refusals } from '../observability/refusals.js';
import { serverStatusFields, ServerStatusSource } from '../observability/server-status.js';
import { StandardError } from '../observability/standard-error.js';
import { serverPolicy, vhostUserPolicy } from '../server/confinement/system-call-policy.js';
import type { ServerHandover } from '../server/launch/handover.js';
import { MessageStatistics } from '../server/session/message-statistics.js';
import { serveClient, type ServedClient, type SessionEnd } from '../server/session/serve-client.js';
import { overStream } from '../server/session/stream-channel.js';
import { acceptGuests } from '../server/transports/acceptance.js';
import { SocketStream } from '../server/transports/stream.js';
import { overVhostUser } from '../server/vhost-user/channel.js';
import { beat } from '../service/heartbeat.js';
import { Notifier } from '../service/notifications.js';
import { ExitStatus } from '../startup/exit-status.js';
import { StartError } from '../startup/start-errors.js';
import { Readiness } from '../startup/readiness.js';
import { runServing } from '../startup/serving-program.js';
import { closeAllOnExec, dieWithParent, exitNow, setNotDumpable } from '../syscalls/process.js';
import { peerCredentials } from '../syscalls/sockets.js';

/** The 9P server: gives up what is left of its rights and serves one client. Started by `launch/`, never by hand. */

const exitStatus: Readonly<Record<SessionEnd, number>> = {
  closed: ExitStatus.OK,
  stopped: ExitStatus.OK,
  failed: ExitStatus.FAILURE,
  violation: ExitStatus.PROTOCOL_VIOLATION,
};

/** In one turn of the event loop, and before any byte of a client is looked at. Throws a StartError. */
function confine({ parent, rootChanger, seccomp, tag }: ServerHandover): void {
  setNotDumpable();
  dieWithParent();
  if (process.ppid !== parent)
    throw new StartError('parent-ended', 'the process that started the server has ended');
  if (rootChanger !== undefined) enterEmptyRoot(rootChanger);
  filterSystemCalls(seccomp, tag === undefined ? serverPolicy : vhostUserPolicy);
  endDebugger();
}

/** What the server counts, and who tells of it. */
interface Counting {
  readonly statistics: MessageStatistics;
  readonly source: ServerStatusSource;
}

/** Serves the client, or the first one that comes. @returns what ends that */
function begin(handover: ServerHandover, log: Logger, { statistics, source }: Counting): () => void {
  const { helper, furtherHelpers, client, allowed, tag, heartbeat } = handover;
  if (heartbeat !== undefined) beat(heartbeat);
  const refusals = new Refusals(log);
  let served: ServedClient | undefined;
  const serve = (descriptor: number): void => {
    const channel =
      tag === undefined
        ? overStream((events) => new SocketStream(descriptor, events, handover.pollCeiling))
        : overVhostUser(descriptor, { tag, log, pollCeiling: handover.pollCeiling });
    served = serveClient(channel, { helper, furtherHelpers, settings: handover, log, statistics });
    source.connected(peerCredentials(descriptor), served.figures);
    log.info(handover.kept, 'serving a client');
    void served.ended.then((end) => {
      if (end === 'closed') log.info('the client has left');
      exitNow(exitStatus[end]);
    });
  };
  if (client.listening) {
    acceptGuests(client, allowed, {
      connected: (descriptor) => {
        serve(descriptor);
        return false;
      },
      refused: (peer) => {
        refusals.report('refused a client that may not connect', { ...peer });
      },
    });
  } else serve(client.descriptor);
  return () => {
    if (served === undefined) exitNow(ExitStatus.OK);
    served.end();
  };
}

async function main(handover: ServerHandover): Promise<void> {
  closeAllOnExec();
  const lines = new LogLines(new StandardError(handover.journal), handover.logFormat);
  const root = createLogger(handover.logLevel, handover.logFormat, lines);
  const log = root.child({
    part: '9p',
    ...(handover.clientNumber === undefined ? {} : { client: handover.clientNumber }),
  });
  const { control, client, tag } = handover;
  const statistics = new MessageStatistics();
  const source = new ServerStatusSource(tag === undefined ? client.kind : 'vhost-user', statistics, lines);
  const readiness = new Readiness({
    notifier: new Notifier(undefined),
    report: handover.report,
    background: false,
  });
  let end = (): void => exitNow(ExitStatus.OK);
  await runServing({
    name: 'server',
    log,
    readiness,
    journal: handover.journal,
    start: () => {
      if (control !== undefined) answerAll(control, () => JSON.stringify(source.status()));
      confine(handover);
      process.on('SIGUSR1', () => {
        log.info(serverStatusFields(source.status()), 'statistics');
      });
      return {
        begin: () => {
          end = begin(handover, log, { statistics, source });
        },
        stop: () => {
          end();
        },
      };
    },
  });
}

process.title = 'virtfs-9p-server';
void main(JSON.parse(process.argv[2] ?? '{}') as ServerHandover);
