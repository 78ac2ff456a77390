import { clientControlPath, pairControlPath, serverControlPath } from '../observability/control-paths.js';
import type { HelperStatus } from '../observability/helper-status.js';
import type { ServerStatus } from '../observability/server-status.js';
import { type Answer, type AnyStatus, ask, isOfServer, isThere, ofHelper, ofServer } from './ask.js';
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
  readonly silent: readonly SilentProcess[];
}

export interface SilentProcess extends FoundProcess {
  /** The processes of a listener's clients. */
  readonly clients: readonly number[];
}

export function askAbout(sockets: readonly string[]): Asking {
  return sockets.length === 0 ? askAll() : { machines: askNamed([...new Set(sockets)]), silent: [] };
}

/** For each a pair, or a half of one, or the clients of a listener, which has no socket itself. */
function askNamed(sockets: readonly string[]): Machine[] {
  const answers = ask(sockets.flatMap((path) => [{ path }, { path: serverControlPath(path) }]));
  return sockets.flatMap((socket, index) => {
    const [answer, beside] = answers.slice(2 * index) as [Answer<AnyStatus>, Answer<AnyStatus>];
    if (isOfServer(answer.status)) {
      return [{ helper: undefined, server: { socket, answer: ofServer(answer) } }];
    }
    const server = isThere(beside)
      ? { socket: serverControlPath(socket), answer: ofServer(beside) }
      : undefined;
    const helper = { socket, answer: ofHelper(answer) };
    if (isThere(answer)) return [{ helper, server }];
    if (server !== undefined) return [{ helper: undefined, server }];
    const clients = clientNumbers(socket);
    return clients.length === 0
      ? [{ helper, server }]
      : askNamed(clients.map((client) => clientControlPath(socket, client)));
  });
}

/** What was found, and what came of asking it. */
interface FoundAnswer {
  readonly process: FoundProcess;
  readonly control: string;
  readonly answer: Answer<AnyStatus>;
}

function askAll(): Asking {
  const found = findProcesses();
  const asked = inTurns(found).flatMap((process) =>
    process.control === undefined ? [] : [{ process, control: process.control }],
  );
  const answers = ask(asked.map(({ process: { pid }, control }) => ({ path: control, pid })));
  const known = asked.flatMap(({ process, control }, index) => {
    const answer = answers[index];
    return answer === undefined ? [] : [{ process, control, answer }];
  });
  return { machines: machinesOf(known.filter(isFirstOfItsKind())), silent: silentOf(found) };
}

/**
 * Root's processes first, then one of each other user, then the second of each: who starts many keeps nobody else from
 * being asked.
 */
function inTurns(found: readonly FoundProcess[]): FoundProcess[] {
  const turns = new Map<number, number>();
  return found
    .map((process) => {
      const turn = turns.get(process.uid) ?? 1;
      turns.set(process.uid, turn + 1);
      return { process, turn: process.uid === 0 ? 0 : turn };
    })
    .sort((one, other) => one.turn - other.turn)
    .map(({ process }) => process);
}

/**
 * Any number of processes may say that they answer at a path. One does, as the kernel tells; of the others one is enough
 * to complain of.
 */
function isFirstOfItsKind(): (one: FoundAnswer) => boolean {
  const seen = new Set<string>();
  return ({ process, control, answer }) => {
    const key = `${process.kind} ${answer.status !== undefined} ${isThere(answer)} ${control}`;
    const isFirst = !seen.has(key);
    seen.add(key);
    return isFirst;
  };
}

/** Of several at the same path, those that answer are a pair. */
function machinesOf(known: readonly FoundAnswer[]): Machine[] {
  const pairs = new Map<string, { -readonly [Half in keyof Machine]: Machine[Half] }[]>();
  const answered = known.filter(({ answer }) => answer.status !== undefined);
  const others = known.filter(({ answer }) => answer.status === undefined);
  for (const { process, control, answer } of [...answered, ...others]) {
    const pair = process.kind === 'server' ? pairControlPath(control) : control;
    const machines = pairs.get(pair) ?? [];
    pairs.set(pair, machines);
    let machine = machines.find((one) => one[process.kind] === undefined);
    if (machine === undefined) {
      machine = { helper: undefined, server: undefined };
      machines.push(machine);
    }
    if (process.kind === 'helper') machine.helper = { socket: control, answer: ofHelper(answer) };
    else machine.server = { socket: control, answer: ofServer(answer) };
  }
  return [...pairs.values()].flat();
}

function silentOf(found: readonly FoundProcess[]): SilentProcess[] {
  const children = new Map<number, number[]>();
  for (const { pid, parent } of found) {
    const known = children.get(parent);
    if (known === undefined) children.set(parent, [pid]);
    else known.push(pid);
  }
  return found
    .filter(({ control }) => control === undefined)
    .map((process) => ({ ...process, clients: children.get(process.pid) ?? [] }));
}
