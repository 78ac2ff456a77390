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
    help: 'the directory that --path is in, below which no symbolic link to it is followed',
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
  uid: { short: 'u', value: 'USER', help: 'owner of the socket, a name or an id (default: the caller)' },
  gid: { short: 'g', value: 'GROUP', help: 'group of the socket, a name or an id (default: the caller)' },
  'allow-uid': {
    value: 'USER',
    repeatable: true,
    help: 'may connect as well as --uid and root, if the mode of the socket lets it; repeatable',
  },
  pidfile: { value: 'PATH', help: 'keep the pid in PATH, locked; a second helper with it does not start' },
  'rlimit-nofile': {
    value: 'N',
    help: 'limit on open files, 64 to the hard limit (default: the hard limit)',
  },
  'keep-listening': { help: 'serve every client that connects, each in a process of its own' },
  nodaemon: { short: 'n', help: 'stay in the foreground and log to stderr' },
  'ready-fd': {
    value: 'N',
    help: 'with --nodaemon: tell descriptor N "ready", or in one line why not, which stderr is then not told',
  },
  readonly: { help: 'refuse every change with EROFS, whatever the client asks' },
  'map-uid': {
    value: 'MAP',
    repeatable: true,
    help: 'GUEST:HOST:COUNT, user ids of the guest that are others on the host; repeatable',
  },
  'map-gid': { value: 'MAP', repeatable: true, help: 'the same for group ids' },
  'squash-uid': { value: 'ID', help: 'the user on the host for every one of the guest that is not mapped' },
  'squash-gid': { value: 'ID', help: 'the same for groups' },
  'forbid-uid': {
    value: 'IDS',
    repeatable: true,
    help: 'FIRST:COUNT, user ids that the guest may not use; repeatable',
  },
  'forbid-gid': { value: 'IDS', repeatable: true, help: 'the same for group ids' },
  'security-model': {
    value: 'MODEL',
    choices: modelNames,
    help: 'passthrough (default), none, mapped-xattr (or mapped), mapped-file',
  },
  fmode: { value: 'MODE', help: 'mode on the host of files made in a mapped model, octal (default 0600)' },
  dmode: { value: 'MODE', help: 'the same for directories (default 0700)' },
  xattr: { value: 'on|off', choices: onOff, help: 'extended attributes for the guest: on (default) or off' },
  'host-symlinks': {
    help: "in a mapped model: let the guest read where the host's symbolic links lead; they are never followed here",
  },
  'file-capabilities': {
    help: 'let the guest give files capabilities (setcap): keep CAP_SETFCAP; the mapped models need no right for it',
  },
  multidevs: {
    value: 'MODE',
    choices: multidevsModes,
    help: 'several file systems in the export: remap (default) their inode numbers, forbid the others, or warn',
  },
  'host-mounts': {
    value: 'MODE',
    choices: hostMountsModes,
    help: 'what the host mounts or unmounts in the export later: follow (default) or ignore it',
  },
  'descriptor-requests': {
    help: 'take requests about open files that the client passes back, as the 9P server makes them; QEMU makes none',
  },
  'former-mounts': {
    value: 'IDS',
    help: 'with --descriptor-requests: mounts of helpers whose place this one takes, of whose files it takes descriptors, too',
  },
  seccomp: {
    value: 'MODE',
    choices: seccompModes,
    help: 'at a forbidden system call: kill (default), log, or none for no filter',
  },
  control: {
    value: 'PATH',
    help: 'answer the status command on a socket at PATH, which only root may connect to',
  },
  'print-privileges': { help: 'print what the helper keeps while it serves, and why' },
  'poll-us': {
    value: 'N',
    help: 'poll for the next request at most N microseconds: 0 (never) to 1000, default 100',
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
