import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import type { ServerStart } from '../server/launch/handover.js';
import type { ClientSocket } from '../server/transports/listening.js';
import { earlyEnd, reportFrom } from '../startup/early-end.js';
import { ExitStatus, StartError } from '../startup/exit-status.js';
import { READY } from '../startup/report.js';
import { close } from '../syscalls/files.js';
import { FurtherHelpers } from './further-helpers.js';
import type { HelperEnd } from './share.js';

/** Where the server finds its descriptors. */
const CLIENT = 3;
const REPORT = 4;
const HELPER = 5;
const FURTHER_HELPERS = 6;

/** What the server is told, but for its descriptors. */
export type ServerSettings = Omit<ServerStart, 'helper' | 'furtherHelpers' | 'client' | 'report' | 'parent'>;

/** A 9P server that is ready, a child of this process. */
export interface ServerProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<HelperEnd>;
  /** How it gets another helper. */
  readonly furtherHelpers: FurtherHelpers;
}

/**
 * Starts a server and waits until it is ready. The caller's descriptors stay open. Like a helper it has a session of its
 * own. Throws a StartError with its reason when it does not start.
 *
 * @param program the one that takes the server's rights away, and becomes it
 * @param helper our descriptor of the connection to the helper
 */
export async function startServer(
  program: string,
  settings: ServerSettings,
  client: ClientSocket,
  helper: number,
): Promise<ServerProcess> {
  const start: ServerStart = {
    ...settings,
    client: { ...client, descriptor: CLIENT },
    helper: HELPER,
    furtherHelpers: FURTHER_HELPERS,
    report: REPORT,
    parent: process.pid,
  };
  const furtherHelpers = new FurtherHelpers();
  // what it needs to find unshare(1), and to know what its stderr is
  const { NODE_OPTIONS, PATH, JOURNAL_STREAM } = process.env;
  const child = spawn(process.execPath, [program, JSON.stringify(start)], {
    stdio: ['ignore', 'ignore', 'inherit', client.descriptor, 'pipe', helper, furtherHelpers.theirs],
    detached: true,
    env: { NODE_OPTIONS, PATH, JOURNAL_STREAM },
  });
  const ended = new Promise<HelperEnd>((resolve) => {
    child.once('exit', (status, signal) => {
      resolve({ status, signal });
    });
  });
  try {
    await once(child, 'spawn');
  } catch (error) {
    furtherHelpers.close();
    throw new StartError(`cannot start ${process.execPath}: ${(error as Error).message}`);
  } finally {
    close(furtherHelpers.theirs);
  }
  const report = await reportFrom(child.stdio[REPORT] as Readable);
  if (report === READY) return { child, ended, furtherHelpers };
  furtherHelpers.close();
  const end = await ended;
  throw new StartError(
    report === '' ? earlyEnd('the 9P server', end) : report,
    end.status === null || end.status === 0 ? ExitStatus.FAILURE : end.status,
  );
}
