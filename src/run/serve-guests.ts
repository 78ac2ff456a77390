import { createLogger, type Logger, LogLines } from '../observability/log.js';
import { StandardError } from '../observability/standard-error.js';
import type { ServerConfiguration } from '../server/cli/configuration.js';
import { acceptGuests } from '../server/transports/acceptance.js';
import type { ClientSocket } from '../server/transports/listening.js';
import { notifyChannel, Notifier } from '../service/notifications.js';
import { ExitStatus } from '../startup/exit-status.js';
import { complain, stderrIsJournal } from '../startup/journal.js';
import { Readiness } from '../startup/readiness.js';
import { checkReportDescriptor } from '../startup/report-descriptor.js';
import { StartError, usageError } from '../startup/start-errors.js';
import { umask } from '../syscalls/files.js';
import { closeAllOnExec } from '../syscalls/process.js';
import type { HelperSource } from './helper-source.js';
import { Pair, type PairPlan } from './pair.js';
import { ShareClients } from './share-clients.js';
import { type CommonConfiguration, planPeers, planSettings } from './share-plan.js';
import { openShareSocket } from './share-socket.js';

/** What guests are served, and how. */
export interface Serving {
  /** The command, whose help tells of its options. */
  readonly command: string;
  /** What is shared, for people. */
  readonly title: string;
  readonly server: ServerConfiguration;
  /** What helper and server have in common. */
  readonly common: CommonConfiguration;
  /** The starting program of the server. */
  readonly serverProgram: string;
  /** How long a server is to wait for another helper, milliseconds; undefined where it takes as long as it takes. */
  readonly helperPatience: number | undefined;
  /** The helpers of a client, whose number is told where there are several. */
  readonly helpersOf: (client: number | undefined, log: Logger) => HelperSource;
  /** Throws the StartError that would keep the helper of every client from serving. */
  readonly tryHelper: () => Promise<void>;
}

/**
 * Serves one client, or each that comes, and tells those who wait for the start how it went.
 *
 * @returns the exit status. Throws a StartError.
 */
export async function serveGuests(serving: Serving): Promise<number> {
  const { readyDescriptor } = serving.server;
  if (readyDescriptor !== undefined) checkReportDescriptor(readyDescriptor);
  const channel = notifyChannel(process.env, process.pid, (reason) => {
    complain('warn', reason);
  });
  const notifier = new Notifier(channel);
  const readiness = new Readiness({ notifier, report: readyDescriptor, background: false });
  try {
    return await start(serving, readiness, channel?.watchdogInterval);
  } catch (error) {
    if (!(error instanceof StartError) || !readiness.fail(error)) throw error;
    return error.status;
  }
}

/** What is the same for all clients. */
type ClientsPlan = Omit<PairPlan, 'helpers'>;

async function start(
  serving: Serving,
  readiness: Readiness,
  heartbeatInterval: number | undefined,
): Promise<number> {
  const { command, common, server, serverProgram, helperPatience } = serving;
  const { owner, allowed } = await planPeers(server);
  const settings = await planSettings(common, server, { allowed, helperPatience, heartbeatInterval });
  // what the caller left open is for nobody
  closeAllOnExec();
  umask(0);
  const { client, file } = openShareSocket(server, { owner, allowed }, command);
  const { logLevel, logFormat } = common;
  const plan: ClientsPlan = {
    serverProgram,
    helperRestarts: server.helperRestarts,
    log: createLogger(logLevel, logFormat, new LogLines(new StandardError(stderrIsJournal()), logFormat)),
    settings,
  };
  try {
    return await (server.keepListening ? serveAll : serveOne)(serving, plan, client, readiness);
  } finally {
    file?.remove();
  }
}

async function serveOne(
  { title, server, helpersOf }: Serving,
  plan: ClientsPlan,
  client: ClientSocket,
  readiness: Readiness,
): Promise<number> {
  const { notifier } = readiness;
  const stopped = new AbortController();
  const starting = Pair.start({ ...plan, helpers: helpersOf(undefined, plan.log) }, client, stopped.signal);
  // also one that comes while they are started
  onSignals((signal) => {
    if (signal !== 'SIGUSR1') {
      notifier.stopping();
      stopped.abort();
    }
    void starting.then(
      (pair) => {
        if (signal === 'SIGUSR1') pair?.signal(signal);
        else pair?.stop();
      },
      () => undefined,
    );
  });
  const pair = await starting;
  if (pair === undefined) return ExitStatus.OK;
  readiness.tell();
  notifier.status(`sharing ${title} at ${server.address.origin}`);
  const { status, reason } = await pair.ended;
  notifier.stopping();
  if (reason !== undefined) complain('error', `${reason}: ${title} is not shared any more`);
  return status;
}

async function serveAll(
  { command, title, server, helpersOf, tryHelper }: Serving,
  plan: ClientsPlan,
  client: ClientSocket,
  readiness: Readiness,
): Promise<number> {
  const { origin } = server.address;
  if (!client.listening)
    throw usageError(
      `${origin}: --keep-listening needs a listening socket, this one is connected`,
      command,
      'socket-is-connected',
    );
  const { notifier } = readiness;
  // what keeps every client's helper from starting shall be told now
  await tryHelper();
  const { log, settings } = plan;
  return new Promise((resolve) => {
    let stopping = false;
    const clients = new ShareClients(
      (number) => {
        const clientLog = log.child({ client: number });
        return {
          ...plan,
          log: clientLog,
          helpers: helpersOf(number, clientLog),
          settings: { ...settings, clientNumber: number },
        };
      },
      log,
      () => {
        if (!stopping)
          notifier.status(`sharing ${title} with ${clients.running} clients, ${clients.count} so far`);
        else if (clients.running === 0) resolve(ExitStatus.OK);
      },
    );
    const acceptance = acceptGuests(client, settings.allowed, {
      connected: (descriptor, peer) => {
        clients.take({ ...client, descriptor, listening: false }, peer);
        return true;
      },
      refused: (peer) => {
        clients.refused(peer);
      },
    });
    onSignals((signal) => {
      if (signal === 'SIGUSR1') {
        clients.signal(signal);
        return;
      }
      log.info(`stopped by ${signal}`);
      notifier.stopping();
      stopping = true;
      acceptance.close();
      clients.stop();
      if (clients.running === 0) resolve(ExitStatus.OK);
    });
    log.info({ export: title, listen: origin }, 'waiting for clients');
    readiness.tell();
  });
}

function onSignals(received: (signal: NodeJS.Signals) => void): void {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1'] as const) {
    process.on(signal, () => {
      received(signal);
    });
  }
}
