import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { textOfBytes } from '../../cli/path-bytes.js';
import { CONTROL_VARIABLE, LISTENER_VARIABLE } from '../../observability/helper-status.js';

/** A process that serves, or that listens for those who are to be served. */
export interface FoundHelper {
  readonly pid: number;
  readonly parent: number;
  /** Where it answers; undefined when it was started without --control. */
  readonly control: string | undefined;
  /** What a listener's clients are served; undefined for a helper. */
  readonly listensFor: string | undefined;
}

/** The name that helpers give themselves, in place of their command line. */
const TITLE = 'virtfs-proxy-helper';

/** All helpers of this machine (of this PID namespace), by pid: proc_pid(5). Only root may see where they answer. */
export function findHelpers(): FoundHelper[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((one, other) => one - other)
    .flatMap((pid) => helperOf(pid) ?? []);
}

function helperOf(pid: number): FoundHelper | undefined {
  const title = read(pid, 'cmdline').replace(/\0+$/, '');
  if (title !== TITLE) return undefined;
  // the second field is a name in parentheses, with blanks perhaps
  const stat = read(pid, 'stat');
  const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const variables = new Map(
    read(pid, 'environ')
      .split('\0')
      .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)] as const),
  );
  return {
    pid,
    parent: Number(parent),
    control: variables.get(CONTROL_VARIABLE),
    listensFor: variables.get(LISTENER_VARIABLE),
  };
}

/** Empty when the process has ended or may not be looked at. */
function read(pid: number, file: string): string {
  try {
    return textOfBytes(readFileSync(`/proc/${pid}/${file}`));
  } catch {
    return '';
  }
}

/** The control sockets of a listener's clients, PATH.1 and so on, where the listener was started with PATH. */
export function clientSockets(control: string): string[] {
  const name = `${basename(control)}.`;
  const number = (socket: string): number => Number(socket.slice(name.length));
  try {
    return readdirSync(dirname(control))
      .filter((entry) => entry.startsWith(name) && /^\d+$/.test(entry.slice(name.length)))
      .sort((one, other) => number(one) - number(other))
      .map((entry) => join(dirname(control), entry));
  } catch {
    return [];
  }
}
