import { clientControlPath, pairControlPath, serverControlPath } from '../observability/control-paths.js';
import type { HelperStatus } from '../observability/helper-status.js';
import type { ServerStatus } from '../observability/server-status.js';
import { type Answer, ask, isOfServer, isThere, ofHelper, ofServer } from './ask.js';
import { clientNumbers, findProcesses, type FoundProcess } from './discovery.js';

/** Who was asked, and what came of it. */
export interface Asked<Status> {
  readonly socket: string;
  readonly answer: Answer<Status>;
}

/** What serves one guest: a helper, a 9P server, or the pair of both. */
export interface Machine {
  readonly helper: Asked<HelperStatus> | undefined;
  readonly server: Asked<ServerStatus> | undefined;
}

/** What the arguments ask for, everything on this host without any. */
export interface Asking {
  readonly machines: readonly Machine[];
  /** Processes that have no control socket. */
  readonly silent: readonly FoundProcess[];
}

export function askAbout(sockets: readonly string[]): Asking {
  if (sockets.length === 0) return askAll();
  return { machines: sockets.flatMap(askOne), silent: [] };
}

/** A pair, or a half of one, or the clients of a listener, which has no socket itself. */
function askOne(socket: string): Machine[] {
  const answer = ask(socket);
  if (isOfServer(answer.status)) return [{ helper: undefined, server: { socket, answer: ofServer(answer) } }];
  const beside = serverControlPath(socket);
  const answerBeside = ofServer(ask(beside));
  const server = isThere(answerBeside) ? { socket: beside, answer: answerBeside } : undefined;
  const helper = { socket, answer: ofHelper(answer) };
  if (isThere(answer)) return [{ helper, server }];
  if (server !== undefined) return [{ helper: undefined, server }];
  const clients = clientNumbers(socket);
  return clients.length === 0
    ? [{ helper, server }]
    : clients.flatMap((client) => askOne(clientControlPath(socket, client)));
}

function askAll(): Asking {
  const found = findProcesses();
  const machines: { -readonly [Half in keyof Machine]: Machine[Half] }[] = [];
  const pairs = new Map<object, string>();
  for (const { pid, kind, control } of found) {
    if (control === undefined) continue;
    const pair = pairControlPath(control);
    // two may have been started with the same path, of which one has it
    let machine = machines.find((known) => pairs.get(known) === pair && known[kind] === undefined);
    if (machine === undefined) {
      machine = { helper: undefined, server: undefined };
      machines.push(machine);
      pairs.set(machine, pair);
    }
    const answer = ask(control, pid);
    if (kind === 'helper') machine.helper = { socket: control, answer: ofHelper(answer) };
    else machine.server = { socket: control, answer: ofServer(answer) };
  }
  return { machines, silent: found.filter(({ control }) => control === undefined) };
}
