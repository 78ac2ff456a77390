import type { StdioOptions } from 'node:child_process';
import type { Readable } from 'node:stream';
import { clientControlPath, CONTROL_VARIABLE, serverControlPath } from '../observability/control-paths.js';
import type { ServerStart } from '../server/launch/handover.js';
import type { ClientSocket } from '../server/transports/listening.js';
import { openControlSocket } from '../startup/control-socket.js';
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
const CONTROL = 7;

type Descriptors = 'helper' | 'furtherHelpers' | 'client' | 'control' | 'report';

/** What the server is told, but for its descriptors. */
export interface ServerSettings extends Omit<ServerStart, Descriptors | 'parent'> {
  /** The path of --control; undefined without. */
  readonly control: string | undefined;
}

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
  const path = controlPathOf(settings);
  const control = path === undefined ? undefined : openControlSocket(path);
  const start: ServerStart = {
    ...settings,
    client: { ...client, descriptor: CLIENT },
    control: control === undefined ? undefined : CONTROL,
    helper: HELPER,
    furtherHelpers: FURTHER_HELPERS,
    report: REPORT,
    parent: process.pid,
  };
  const furtherHelpers = new FurtherHelpers();
  // what it needs to find unshare(1), and to know what its stderr is
  const { NODE_OPTIONS, PATH, JOURNAL_STREAM } = process.env;
  const started = startProgram([program, JSON.stringify(start)], {
    stdio: [
      ...['ignore', 'ignore', 'inherit', client.descriptor, 'pipe', helper, furtherHelpers.theirs],
      ...(control === undefined ? [] : [control.descriptor]),
    ] as StdioOptions,
    env: { NODE_OPTIONS, PATH, JOURNAL_STREAM, [CONTROL_VARIABLE]: path },
  }).finally(() => {
    close(furtherHelpers.theirs);
    if (control !== undefined) close(control.descriptor);
  });
  try {
    const { child, ended } = await started;
    const report = await reportFrom(child.stdio[REPORT] as Readable);
    if (report !== READY) throw failedStart('the 9P server', report, await ended);
    void ended.then(() => control?.file.remove());
    return { child, ended, furtherHelpers };
  } catch (error) {
    furtherHelpers.close();
    control?.file.remove();
    throw error;
  }
}

/** Where the server answers: beside the helper of the same client. */
function controlPathOf({ control, clientNumber }: ServerSettings): string | undefined {
  if (control === undefined) return undefined;
  return serverControlPath(clientNumber === undefined ? control : clientControlPath(control, clientNumber));
}
