import type { Readable } from 'node:stream';
import { clientControlPath, CONTROL_VARIABLE, serverControlPath } from '../observability/control-paths.js';
import { HeartbeatWatch } from '../service/heartbeat.js';
import type { ServerStart } from '../server/launch/handover.js';
import type { ClientSocket } from '../server/transports/listening.js';
import { openControlSocket } from '../startup/control-socket.js';
import { reportFrom } from '../startup/early-end.js';
import { READY } from '../startup/report.js';
import type { ListeningSocket } from '../startup/socket-file.js';
import { close } from '../syscalls/files.js';
import { FurtherHelpers } from './further-helpers.js';
import { failedStart, type ProgramProcess, startProgram } from './program-process.js';

/** Where the server finds its descriptors. */
const CLIENT = 3;
const REPORT = 4;
const HELPER = 5;
const FURTHER_HELPERS = 6;

type Descriptors = 'helper' | 'furtherHelpers' | 'client' | 'control' | 'report' | 'heartbeat';

/** What the server is told, but for its descriptors. */
export interface ServerSettings extends Omit<ServerStart, Descriptors | 'parent'> {
  /** The path of --control; undefined without. */
  readonly control: string | undefined;
  /** How often it is to show that it is alive, milliseconds; undefined where nobody watches. */
  readonly heartbeatInterval: number | undefined;
}

/** A 9P server that is ready, a child of this process. */
export interface ServerProcess extends ProgramProcess {
  /** How it gets another helper. */
  readonly furtherHelpers: FurtherHelpers;
  /** Whether it is alive; undefined where nobody watches. */
  readonly heartbeat: HeartbeatWatch | undefined;
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
  const { heartbeatInterval } = settings;
  const furtherHelpers = new FurtherHelpers();
  let control: ListeningSocket | undefined;
  let heartbeat: HeartbeatWatch | undefined;
  // the server's ends, by their numbers there
  const theirs = [furtherHelpers.theirs];
  const pass = (descriptor: number): number => FURTHER_HELPERS + theirs.push(descriptor) - 1;
  const closeTheirs = (): void => {
    for (const descriptor of theirs.splice(0)) close(descriptor);
  };
  try {
    if (path !== undefined) control = openControlSocket(path);
    const passedControl = control && pass(control.descriptor);
    if (heartbeatInterval !== undefined) heartbeat = new HeartbeatWatch(heartbeatInterval);
    const start: ServerStart = {
      ...settings,
      client: { ...client, descriptor: CLIENT },
      control: passedControl,
      helper: HELPER,
      furtherHelpers: FURTHER_HELPERS,
      report: REPORT,
      heartbeat: heartbeat && { ...heartbeat.theirs, descriptor: pass(heartbeat.theirs.descriptor) },
      parent: process.pid,
    };
    // what it needs to find unshare(1), and to know what its stderr is
    const { NODE_OPTIONS, PATH, JOURNAL_STREAM } = process.env;
    const { child, ended } = await startProgram([program, JSON.stringify(start)], {
      stdio: ['ignore', 'ignore', 'inherit', client.descriptor, 'pipe', helper, ...theirs],
      env: { NODE_OPTIONS, PATH, JOURNAL_STREAM, [CONTROL_VARIABLE]: path },
    }).finally(closeTheirs);
    const report = await reportFrom(child.stdio[REPORT] as Readable);
    if (report !== READY) throw failedStart('the 9P server', report, await ended);
    void ended.then(() => {
      control?.file.remove();
      heartbeat?.close();
    });
    return { child, ended, furtherHelpers, heartbeat };
  } catch (error) {
    closeTheirs();
    furtherHelpers.close();
    heartbeat?.close();
    control?.file.remove();
    throw error;
  }
}

/** Where the server answers: beside the helper of the same client. */
function controlPathOf({ control, clientNumber }: ServerSettings): string | undefined {
  if (control === undefined) return undefined;
  return serverControlPath(clientNumber === undefined ? control : clientControlPath(control, clientNumber));
}
