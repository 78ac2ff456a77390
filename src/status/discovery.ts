import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { textOfBytes } from '../cli/path-bytes.js';
import { CONTROL_VARIABLE, LISTENER_VARIABLE } from '../observability/control-paths.js';

/** A process that serves, or that listens for those who are to be served. */
export interface FoundProcess {
  readonly pid: number;
  readonly kind: 'helper' | 'server';
  readonly parent: number;
  /** Where it answers; undefined when it was started without --control. */
  readonly control: string | undefined;
  /** What a listener's clients are served; undefined for a helper. */
  readonly listensFor: string | undefined;
}

/** By the names that they give themselves, in place of their command lines. */
const kinds = new Map<string, FoundProcess['kind']>([
  ['virtfs-proxy-helper', 'helper'],
  ['virtfs-9p-server', 'server'],
]);

/** All helpers and servers of this machine (of this PID namespace), by pid: proc_pid(5). Only root may see where they answer. */
export function findProcesses(): FoundProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((one, other) => one - other)
    .flatMap((pid) => processOf(pid) ?? []);
}

function processOf(pid: number): FoundProcess | undefined {
  const kind = kinds.get(read(pid, 'cmdline').replace(/\0+$/, ''));
  if (kind === undefined) return undefined;
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
    kind,
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

/** The numbers of a listener's clients that answer, where the listener was started with this path: `clientControlPath`. */
export function clientNumbers(control: string): number[] {
  const name = `${basename(control)}.`;
  try {
    const found = readdirSync(dirname(control)).flatMap((entry) => {
      const number = entry.startsWith(name) ? /^(\d+)(\.|$)/.exec(entry.slice(name.length))?.[1] : undefined;
      return number === undefined ? [] : [Number(number)];
    });
    return [...new Set(found)].sort((one, other) => one - other);
  } catch {
    return [];
  }
}
