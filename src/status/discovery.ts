import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { isUtf8, textOfBytes } from '../cli/path-bytes.js';
import { CONTROL_VARIABLE, LISTENER_VARIABLE } from '../observability/control-paths.js';
import { MAX_PATH_BYTES } from '../syscalls/sockets.js';

/** A process that serves, or that listens for those who are to be served. */
export interface FoundProcess {
  readonly pid: number;
  readonly kind: 'helper' | 'server';
  readonly parent: number;
  /** Of the user who started it. */
  readonly uid: number;
  /** Where it answers, as an absolute path; undefined when it was started without --control. */
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

/** More than any name, with what is left of the command line in its place. */
const NAME_BYTES = 64;
/** Up to the user's id, before the list of groups. */
const STATUS_BYTES = 1024;
/** More than our programs have. What is longer is not read, since any user can make it as long as he likes. */
const ENVIRONMENT_BYTES = 131_072;
const MAX_EXPORT_BYTES = 4096;

function processOf(pid: number): FoundProcess | undefined {
  const kind = kinds.get(read(pid, 'cmdline', NAME_BYTES).replace(/\0+$/, ''));
  if (kind === undefined) return undefined;
  const status = read(pid, 'status', STATUS_BYTES);
  const environment = read(pid, 'environ', ENVIRONMENT_BYTES);
  if (environment.length === ENVIRONMENT_BYTES) return undefined;
  const variables = new Map(
    environment
      .split('\0')
      .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)] as const),
  );
  const control = pathIn(variables.get(CONTROL_VARIABLE), MAX_PATH_BYTES);
  return {
    ...{ pid, kind },
    parent: numberIn(status, 'PPid'),
    uid: numberIn(status, 'Uid'),
    control: control !== undefined && isUtf8(control) ? control : undefined,
    listensFor: pathIn(variables.get(LISTENER_VARIABLE), MAX_EXPORT_BYTES),
  };
}

/** The first number of a line of `status`, where a name that a process gave itself has no line of its own: proc_pid_status(5). */
function numberIn(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s*(\\d+)`, 'm').exec(status)?.[1]);
}

/** A variable as what our programs have there: an absolute path that is not too long. */
function pathIn(bytes: string | undefined, most: number): string | undefined {
  return bytes?.startsWith('/') === true && bytes.length <= most
    ? textOfBytes(Buffer.from(bytes, 'latin1'))
    : undefined;
}

const buffer = Buffer.allocUnsafe(ENVIRONMENT_BYTES);

/** The beginning of a file, a character for each byte. Empty when the process has ended or may not be looked at. */
function read(pid: number, file: string, most: number): string {
  try {
    const descriptor = openSync(`/proc/${pid}/${file}`, 'r');
    try {
      let length = 0;
      for (let more = 1; more > 0 && length < most; length += more) {
        more = readSync(descriptor, buffer, length, most - length, null);
      }
      return buffer.toString('latin1', 0, length);
    } finally {
      closeSync(descriptor);
    }
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
