import { join } from 'node:path';
import type { Arguments } from '../cli/arguments.js';
import { createLogger, LogLines } from '../observability/log.js';
import { StandardError } from '../observability/standard-error.js';
import { acceptGuests } from '../server/transports/acceptance.js';
import type { ClientSocket } from '../server/transports/listening.js';
import { passedSockets } from '../service/activation.js';
import { notifyChannel, Notifier } from '../service/notifications.js';
import { ExitStatus } from '../startup/exit-status.js';
import { StartError, usageError } from '../startup/start-errors.js';
import { complain, stderrIsJournal } from '../startup/journal.js';
import { Readiness } from '../startup/readiness.js';
import { checkReportDescriptor } from '../startup/report-descriptor.js';
import { umask } from '../syscalls/files.js';
import { closeAllOnExec } from '../syscalls/process.js';
import { Pair, type PairPlan } from './pair.js';
import { startShare } from './share.js';
import { ShareClients } from './share-clients.js';
import { planPeers, planSettings, planShare, type SharePlan } from './share-plan.js';
import { openShareSocket } from './share-socket.js';

/**
 * `share`: a helper and a 9P server for one client, or for each that comes.
 *
 * @param directory where the programs are
 * @returns the exit status. Throws a StartError.
 */
export async function share(given: Arguments<string>, directory: string): Promise<number> {
  const plan = planShare(given, passedSockets(process.env, process.pid));
  const { readyDescriptor } = plan.server;
  if (readyDescriptor !== undefined) checkReportDescriptor(readyDescriptor);
  const channel = notifyChannel(process.env, process.pid, (reason) => {
    complain('warn', reason);
  });
  const notifier = new Notifier(channel);
  const readiness = new Readiness({ notifier, report: readyDescriptor, background: false });
  try {
    return await start(plan, directory, readiness);
  } catch (error) {
    if (!(error instanceof StartError) || !readiness.fail(error)) throw error;
    return error.status;
  }
}

async function start(plan: SharePlan, directory: string, readiness: Readiness): Promise<number> {
  const { owner, allowed } = await planPeers(plan.server);
  const settings = await planSettings(plan, allowed);
  // what the caller left open is for nobody
  closeAllOnExec();
  umask(0);
  const { client, file } = openShareSocket(plan.server, owner, allowed);
  const { logLevel, logFormat } = plan.helper;
  const pairPlan: PairPlan = {
    path: plan.path,
    programs: { helper: join(directory, 'main.js'), server: join(directory, 'p9-server-start.js') },
    helperOptions: plan.helperOptions,
    helperRestarts: plan.server.helperRestarts,
    log: createLogger(logLevel, logFormat, new LogLines(new StandardError(stderrIsJournal()), logFormat)),
    settings,
  };
  try {
    return await (plan.server.keepListening ? serveAll : serveOne)(plan, pairPlan, client, readiness);
  } finally {
    file?.remove();
  }
}

async function serveOne(
  { path, server }: SharePlan,
  plan: PairPlan,
  client: ClientSocket,
  readiness: Readiness,
): Promise<number> {
  const { notifier } = readiness;
  const starting = Pair.start(plan, client);
  // also one that comes while they are started
  onSignals((signal) => {
    if (signal !== 'SIGUSR1') notifier.stopping();
    void starting.then(
      (pair) => {
        if (signal === 'SIGUSR1') pair.signal(signal);
        else pair.stop();
      },
      () => undefined,
    );
  });
  const pair = await starting;
  readiness.tell();
  notifier.status(`sharing ${path} at ${server.address.origin}`);
  const { status, reason } = await pair.ended;
  notifier.stopping();
  if (reason !== undefined) complain('error', `${reason}: ${path} is not shared any more`);
  return status;
}

async function serveAll(
  { path, helperOptions, server }: SharePlan,
  plan: PairPlan,
  client: ClientSocket,
  readiness: Readiness,
): Promise<number> {
  const { origin } = server.address;
  if (!client.listening)
    throw usageError(
      `${origin}: --keep-listening needs a listening socket, this one is connected`,
      'virtfs-proxy-helper share',
      'socket-is-connected',
    );
  const { notifier } = readiness;
  // what keeps every client's helper from starting shall be told now
  await (await startShare(plan.programs.helper, helperOptions, 'ignore')).stop();
  const { log } = plan;
  return new Promise((resolve) => {
    let stopping = false;
    const clients = new ShareClients(
      (number) => ({
        ...plan,
        log: log.child({ client: number }),
        helperOptions: ofClient(helperOptions, number),
        settings: { ...plan.settings, clientNumber: number },
      }),
      log,
      () => {
        if (!stopping)
          notifier.status(`sharing ${path} with ${clients.running} clients, ${clients.count} so far`);
        else if (clients.running === 0) resolve(ExitStatus.OK);
      },
    );
    const acceptance = acceptGuests(client, plan.settings.allowed, {
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
    log.info({ export: path, listen: origin }, 'waiting for clients');
    readiness.tell();
  });
}

/** A control socket is that of one helper. */
function ofClient(helperOptions: readonly string[], client: number): string[] {
  return helperOptions.map((word) => (word.startsWith('--control=') ? `${word}.${client}` : word));
}

function onSignals(received: (signal: NodeJS.Signals) => void): void {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1'] as const) {
    process.on(signal, () => {
      received(signal);
    });
  }
}
