import { type Option, parseArguments } from '../../cli/arguments.js';
import { seccompModes } from '../../confinement/seccomp-modes.js';
import { usageError } from '../../startup/start-errors.js';
import { logFormats, logLevels } from '../../observability/levels.js';
import { modelNames, multidevsModes } from '../security-models/model-names.js';

/** The values of an option that turns something on or off. */
export const onOff = ['on', 'off'] as const;

/** What becomes of mounts that the host makes and removes in the export while it is served. */
export const hostMountsModes = ['follow', 'ignore'] as const;

/** Every option of the command line that serves, in the order of the help text. */
export const options = {
  path: { short: 'p', value: 'DIR', help: 'the directory to export' },
  'path-base': {
    value: 'DIR',
    help: 'a directory above --path: symbolic links below it are not followed on the way',
  },
  socket: {
    short: 's',
    value: 'PATH',
    help: 'create a socket at PATH and serve the first client that connects',
  },
  fd: {
    short: 'f',
    value: 'N',
    help: 'serve on the inherited descriptor N: a connected or a listening socket',
  },
  uid: { short: 'u', value: 'USER', help: 'owner of the socket, by name or id (default: the caller)' },
  gid: { short: 'g', value: 'GROUP', help: 'group of the socket, by name or id (default: the caller)' },
  'allow-uid': {
    value: 'USER',
    repeatable: true,
    help: 'another user who may connect, if the mode of the socket allows it; repeatable',
  },
  pidfile: {
    value: 'PATH',
    help: 'write the pid to PATH and lock the file; a second helper with this file does not start',
  },
  'rlimit-nofile': {
    value: 'N',
    help: 'limit on open files: 64 to the hard limit (default: the hard limit)',
  },
  'keep-listening': { help: 'serve every client that connects, each in a process of its own' },
  nodaemon: { short: 'n', help: 'stay in the foreground and log to stderr' },
  'ready-fd': {
    value: 'N',
    help: 'with --nodaemon: write "ready", or the reason of a failure, to descriptor N instead of stderr',
  },
  readonly: { help: 'refuse every change with EROFS' },
  'map-uid': {
    value: 'MAP',
    repeatable: true,
    help: 'GUEST:HOST:COUNT: COUNT user ids of the guest, from GUEST on, are those of the host from HOST on; repeatable',
  },
  'map-gid': { value: 'MAP', repeatable: true, help: 'the same for group ids' },
  'squash-uid': {
    value: 'ID',
    help: 'the user id of the host for every user of the guest that is not mapped',
  },
  'squash-gid': { value: 'ID', help: 'the same for groups' },
  'forbid-uid': {
    value: 'IDS',
    repeatable: true,
    help: 'FIRST:COUNT: user ids that the guest may not use; repeatable',
  },
  'forbid-gid': { value: 'IDS', repeatable: true, help: 'the same for group ids' },
  'security-model': {
    value: 'MODEL',
    choices: modelNames,
    help: 'passthrough (default), none, mapped-xattr (or mapped), mapped-file',
  },
  fmode: { value: 'MODE', help: 'mode of new files on the host in a mapped model, octal (default 0600)' },
  dmode: { value: 'MODE', help: 'the same for directories (default 0700)' },
  xattr: { value: 'on|off', choices: onOff, help: 'extended attributes for the guest: on (default) or off' },
  'host-symlinks': {
    help: "in a mapped model: let the guest read the targets of the host's symbolic links; the helper never follows them",
  },
  'file-capabilities': {
    help: 'let the guest set file capabilities (setcap): keeps CAP_SETFCAP; the mapped models need no right for it',
  },
  multidevs: {
    value: 'MODE',
    choices: multidevsModes,
    help: 'several file systems in the export: remap their inode numbers (default), forbid access, or warn',
  },
  'host-mounts': {
    value: 'MODE',
    choices: hostMountsModes,
    help: 'what the host mounts in the export later: follow (default) or ignore',
  },
  'descriptor-requests': {
    help: 'serve requests about open files that the client passes back: the 9P server makes them, QEMU does not',
  },
  'former-mounts': {
    value: 'IDS',
    help: 'with --descriptor-requests: mounts through which earlier helpers opened files that this one accepts, too',
  },
  seccomp: {
    value: 'MODE',
    choices: seccompModes,
    help: 'what a forbidden system call causes: kill (default) or log; none: no filter',
  },
  control: {
    value: 'PATH',
    help: 'answer the status command on a socket at PATH; only root may connect',
  },
  'print-privileges': { help: 'print what the helper keeps while it serves, and why' },
  'poll-us': {
    value: 'N',
    help: 'poll for the next request for at most N microseconds: 0 (never) to 1000 (default 100)',
  },
  'log-level': {
    value: 'LEVEL',
    choices: logLevels,
    help: 'fatal, error, warn, info (default), debug, trace or silent',
  },
  'log-format': { value: 'FORMAT', choices: logFormats, help: 'text (default) or json' },
  version: { help: 'print the version' },
  help: { short: 'h', help: 'print this text' },
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof options;
/** A value, true for a switch, or the values of a repeatable option. */
export type OptionValues = Partial<Record<OptionName, string | true | readonly string[]>>;

/**
 * The options of the command line that serves. One that is not repeatable may be given again with the same value only:
 * else one of the two would be ignored. Throws a usage error.
 */
export function parseOptions(argv: readonly string[]): OptionValues {
  const { given, operands, rest = [] } = parseArguments(options, argv);
  const [unexpected] = [...operands, ...rest];
  if (unexpected !== undefined) throw usageError(`unexpected argument ${unexpected}`);
  const values: OptionValues = {};
  for (const { name, value } of given) {
    const { repeatable }: Option = options[name];
    const before = values[name];
    if (repeatable && value !== true) values[name] = [...valuesOf(values, name), value];
    else if (before === undefined || before === value) values[name] = value;
    else throw usageError(`--${name} is given twice: ${String(before)} and ${value}`);
  }
  return values;
}

/** The values of a repeatable option, in their order. */
export function valuesOf(values: OptionValues, name: OptionName): readonly string[] {
  const found = values[name];
  return typeof found === 'object' ? found : [];
}
