import { usageError } from '../../startup/start-errors.js';
import { relative } from 'node:path';
import { logFormats, type LogFormat, logLevels, type LogLevel } from '../../observability/levels.js';
import { type SeccompMode, seccompModes } from '../../confinement/seccomp-modes.js';
import type { IdMappings } from '../security-models/id-map.js';
import type { ModelSettings } from '../security-models/model-names.js';
import type { PassedSocket } from '../../service/activation.js';
import { idMappings } from './id-mapping.js';
import { modelSettings } from './security-model.js';
import { type OptionName, type OptionValues, valuesOf, hostMountsModes } from './options.js';
import { oneOf, text } from './option-values.js';
import { absolutePath, isUtf8 } from '../../cli/path-bytes.js';

/** Bytes of a path that fit into `struct sockaddr_un` with its final NUL: unix(7). */
export const MAX_SOCKET_PATH = 107;
/** Longer polling keeps signals waiting. */
const MAX_POLL_US = 1000;

/** What Node, its packages and one client need, and some more. */
const LEAST_OPEN_FILES = 64;

const STDERR = 2;

/**
 * FileDescriptorName= of a socket whose clients are 9P servers. They make requests about descriptors, and have whatever user
 * the service manager gives them: who can reach the socket is for its unit to see to.
 */
const SERVERS_SOCKET = '9p-server';

/** Where the client comes from. `origin` says in messages who passed a descriptor. */
export type Endpoint = {
  /** A name or an id as text; undefined when not given. */
  readonly uid: string | undefined;
  readonly gid: string | undefined;
  /** Users who may connect as well as `uid`. */
  readonly allowed: readonly string[];
} & (
  | { readonly kind: 'descriptor'; readonly descriptor: number; readonly origin: string }
  | { readonly kind: 'path'; readonly path: string }
);

/** What the command line asks for, complete and valid in itself. */
export interface Configuration {
  /** The options that all this was made of. */
  readonly given: OptionValues;
  readonly exportPath: string;
  /** The directory below which no link leads to the export; undefined where every link is followed. */
  readonly pathBase: string | undefined;
  readonly endpoint: Endpoint;
  /** Where the control socket shall be; undefined for none. */
  readonly control: string | undefined;
  readonly daemon: boolean;
  /** Whether to serve the next clients, too, each in a process of its own. */
  readonly keepListening: boolean;
  /** An inherited descriptor to be told how the start went. */
  readonly readyDescriptor: number | undefined;
  readonly pidfile: string | undefined;
  /** The limit on open descriptors; undefined for the hard limit. */
  readonly openFiles: number | undefined;
  readonly readOnly: boolean;
  /** Whether requests can be about a descriptor that comes with them. */
  readonly descriptorRequests: boolean;
  /** Numbers of mounts that were those of helpers before, and are no other's since then: `mountNumberAndType`. */
  readonly formerMounts: readonly number[];
  /** Whether what the host mounts in the export later shall be seen. */
  readonly followMounts: boolean;
  /** What the guest's ids are on the host; undefined for the same ids. */
  readonly ids: IdMappings | undefined;
  readonly model: ModelSettings;
  readonly seccomp: SeccompMode;
  /** The longest time to poll for a request, microseconds. */
  readonly pollCeiling: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

function inherited(name: OptionName, number: string): number {
  if (!/^\d{1,9}$/.test(number)) {
    throw usageError(`--${name} ${number}: must be the number of an inherited descriptor`);
  }
  return Number(number);
}

function readyDescriptor(values: OptionValues): number | undefined {
  const number = text(values, 'ready-fd');
  if (number === undefined) return undefined;
  if (values.nodaemon !== true) {
    throw usageError('--ready-fd is for --nodaemon: in the background the command returns when it is ready');
  }
  const descriptor = inherited('ready-fd', number);
  if (descriptor === STDERR) throw usageError(`--ready-fd ${number}: the log goes there; pass another one`);
  return descriptor;
}

function endpoint(values: OptionValues, passed: readonly PassedSocket[] | undefined): Endpoint {
  const socket = text(values, 'socket');
  const fd = text(values, 'fd');
  const owner = {
    uid: text(values, 'uid'),
    gid: text(values, 'gid'),
    allowed: valuesOf(values, 'allow-uid'),
  };
  if (socket !== undefined && fd !== undefined) throw usageError('--socket and --fd exclude each other');
  if (fd !== undefined) {
    return { kind: 'descriptor', descriptor: clientDescriptor(values, fd), origin: `--fd ${fd}`, ...owner };
  }
  if (socket === undefined) {
    const everybody = { uid: undefined, gid: undefined, allowed: [] };
    return {
      kind: 'descriptor',
      ...theOneOf(passed),
      ...(isServers(values, passed) ? everybody : owner),
    };
  }
  return { kind: 'path', path: socketPath('socket', socket), ...owner };
}

/** Whether the client is a 9P server, by the name of the socket that it comes from. */
function isServers(values: OptionValues, passed: readonly PassedSocket[] | undefined): boolean {
  const isPassed = values.socket === undefined && values.fd === undefined;
  return isPassed && passed?.[0]?.name === SERVERS_SOCKET;
}

function clientDescriptor(values: OptionValues, number: string): number {
  const descriptor = inherited('fd', number);
  if (descriptor === STDERR)
    throw usageError(`--fd ${number}: the log goes there; pass the socket as another one`);
  if (descriptor < STDERR && values.nodaemon !== true) {
    throw usageError(`--fd ${number}: is closed in the background; pass another one, or add --nodaemon`);
  }
  return descriptor;
}

function socketPath(name: OptionName, given: string): string {
  const path = absolutePath(given);
  if (!isUtf8(path)) throw usageError(`--${name} ${path}: the path is not UTF-8; choose one that is`);
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    throw usageError(
      `--${name} ${path}: longer than the ${MAX_SOCKET_PATH} bytes that a socket's path can have`,
    );
  }
  return path;
}

/** The socket of socket activation. Throws a usage error when there is not exactly one. */
function theOneOf(passed: readonly PassedSocket[] | undefined): { descriptor: number; origin: string } {
  if (passed === undefined) throw usageError('one of --socket and --fd is required');
  const [socket] = passed;
  if (socket === undefined || passed.length > 1) {
    const names = passed.map(({ name }) => name).join(', ');
    const count = socket === undefined ? 'no socket' : `${passed.length} sockets (${names})`;
    throw usageError(
      `systemd passed ${count} (LISTEN_FDS); one is needed, or --socket or --fd`,
      undefined,
      'wrong-passed-sockets',
    );
  }
  const { descriptor, name } = socket;
  return { descriptor, origin: `LISTEN_FDS, descriptor ${descriptor} (${name})` };
}

function pollCeiling(values: OptionValues): number {
  const microseconds = text(values, 'poll-us') ?? '100';
  if (!/^\d{1,4}$/.test(microseconds) || Number(microseconds) > MAX_POLL_US) {
    throw usageError(`--poll-us ${microseconds}: must be a number from 0 to ${MAX_POLL_US}`);
  }
  return Number(microseconds);
}

function openFiles(values: OptionValues): number | undefined {
  const limit = text(values, 'rlimit-nofile');
  if (limit === undefined) return undefined;
  if (!/^\d{1,9}$/.test(limit) || Number(limit) < LEAST_OPEN_FILES) {
    throw usageError(`--rlimit-nofile ${limit}: must be a number of at least ${LEAST_OPEN_FILES}`);
  }
  return Number(limit);
}

function formerMounts(values: OptionValues): readonly number[] {
  const ids = text(values, 'former-mounts');
  if (ids === undefined) return [];
  if (!/^[1-9]\d{0,14}(,[1-9]\d{0,14})*$/.test(ids))
    throw usageError(`--former-mounts ${ids}: must be numbers of mounts, with commas between them`);
  return ids.split(',').map(Number);
}

function pathBase(values: OptionValues, exportPath: string): string | undefined {
  const given = text(values, 'path-base');
  if (given === undefined) return undefined;
  const base = absolutePath(given);
  if (relative(base, exportPath).split('/', 1)[0] === '..')
    throw usageError(`--path-base ${base}: --path must be in it, or be the same directory`);
  return base;
}

export function seccompMode(values: OptionValues): SeccompMode {
  return oneOf('seccomp', text(values, 'seccomp') ?? 'kill', seccompModes);
}

/**
 * Checks the options against each other. Throws a usage error.
 *
 * @param passed what the service manager passed; used when no option says where the client comes from. The helper is
 * then a service of that manager, which wants it in the foreground.
 */
export function configure(values: OptionValues, passed?: readonly PassedSocket[]): Configuration {
  const path = text(values, 'path');
  const pidfile = text(values, 'pidfile');
  if (path === undefined) throw usageError('--path is required');
  const control = text(values, 'control');
  const configuration: Configuration = {
    given: values,
    exportPath: absolutePath(path),
    pathBase: pathBase(values, absolutePath(path)),
    endpoint: endpoint(values, passed),
    control: control === undefined ? undefined : socketPath('control', control),
    daemon: values.nodaemon !== true && (values.socket !== undefined || values.fd !== undefined),
    keepListening: values['keep-listening'] === true,
    readyDescriptor: readyDescriptor(values),
    pidfile: pidfile === undefined ? undefined : absolutePath(pidfile),
    openFiles: openFiles(values),
    readOnly: values.readonly === true,
    descriptorRequests: values['descriptor-requests'] === true || isServers(values, passed),
    formerMounts: formerMounts(values),
    followMounts: oneOf('host-mounts', text(values, 'host-mounts') ?? 'follow', hostMountsModes) === 'follow',
    ids: idMappings(values),
    model: modelSettings(values),
    seccomp: seccompMode(values),
    pollCeiling: pollCeiling(values),
    logLevel: oneOf('log-level', text(values, 'log-level') ?? 'info', logLevels),
    logFormat: oneOf('log-format', text(values, 'log-format') ?? 'text', logFormats),
  };
  checkApart(configuration);
  return configuration;
}

/** Refuses one thing for two purposes. Throws a usage error. */
function checkApart({ endpoint: client, control, pidfile, readyDescriptor: ready }: Configuration): void {
  if (client.kind === 'descriptor' && client.descriptor === ready) {
    throw usageError(`${client.origin} and --ready-fd ${ready} are the same descriptor; pass two`);
  }
  const paths: Readonly<Record<string, string | undefined>> = {
    '--socket': client.kind === 'path' ? client.path : undefined,
    '--control': control,
    '--pidfile': pidfile,
  };
  const users = new Map<string, string>();
  for (const [option, path] of Object.entries(paths)) {
    if (path === undefined) continue;
    const other = users.get(path);
    if (other !== undefined)
      throw usageError(`${other} and ${option} are the same path, ${path}; choose two`);
    users.set(path, option);
  }
}
