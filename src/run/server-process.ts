import type { Readable } from 'node:stream';
import type { ServerStart } from '../server/launch/handover.js';
import type { ClientSocket } from '../server/transports/listening.js';
import { reportFrom } from '../startup/early-end.js';
import { READY } from '../startup/report.js';
import { close } from '../syscalls/files.js';
import { FurtherHelpers } from './further-helpers.js';
import { failedStart, type ProgramProcess, startProgram } from './program-process.js';

/** Where the server finds its descriptors. */
const CLIENT = 3;
const REPORT = 4;
const HELPER = 5;
const FURTHER_HELPERS = 6;

/** What the server is told, but for its descriptors. */
export type ServerSettings = Omit<ServerStart, 'helper' | 'furtherHelpers' | 'client' | 'report' | 'parent'>;

/** A 9P server that is ready, a child of this process. */
export interface ServerProcess extends ProgramProcess {
  /** How it gets another helper. */
  readonly furtherHelpers: FurtherHelpers;
}

/**
 * Starts a server and waits until it is ready. The caller's descriptors stay open. Throws a StartError with its
 * reason when it does not start.
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
  const started = startProgram([program, JSON.stringify(start)], {
    stdio: ['ignore', 'ignore', 'inherit', client.descriptor, 'pipe', helper, furtherHelpers.theirs],
    env: { NODE_OPTIONS, PATH, JOURNAL_STREAM },
  }).finally(() => {
    close(furtherHelpers.theirs);
  });
  try {
    const { child, ended } = await started;
    const report = await reportFrom(child.stdio[REPORT] as Readable);
    if (report !== READY) throw failedStart('the 9P server', report, await ended);
    return { child, ended, furtherHelpers };
  } catch (error) {
    furtherHelpers.close();
    throw error;
  }
}
