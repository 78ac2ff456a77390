import { parseArgs } from 'node:util';
import { ExitStatus, StartError } from '../exit-status.js';

interface Option {
  readonly short?: string;
  /** The value's name in the help text; none for a switch. */
  readonly value?: string;
  readonly help: string;
}

/** Every option of the command line, in the order of the help text. */
export const options = {
  path: { short: 'p', value: 'DIR', help: 'the directory to export' },
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
  nodaemon: { short: 'n', help: 'stay in the foreground and log to stderr' },
  readonly: { help: 'refuse every change with EROFS, whatever the client asks' },
  seccomp: { value: 'MODE', help: 'at a forbidden system call: kill (default), log, or none for no filter' },
  'print-privileges': { help: 'print what the helper keeps while it serves, and why' },
  'poll-us': {
    value: 'N',
    help: 'poll for the next request at most N microseconds: 0 (never) to 1000, default 100',
  },
  'log-level': { value: 'LEVEL', help: 'fatal, error, warn, info (default), debug, trace or silent' },
  'log-format': { value: 'FORMAT', help: 'text (default) or json' },
  version: { help: 'print the version' },
  help: { short: 'h', help: 'print this text' },
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof options;
export type OptionValues = Partial<Record<OptionName, string | boolean>>;

/** A wrong use of the command line. */
export function usageError(message: string): StartError {
  return new StartError(`${message} (see virtfs-proxy-helper --help)`, ExitStatus.USAGE);
}

function describe({ token, name }: { token: string; name: string }): string {
  const option = options[name as OptionName] as Option | undefined;
  if (option === undefined) return `unknown option ${token}`;
  return option.value === undefined ? `${token} takes no value` : `${token} needs a value: ${option.value}`;
}

/** Splits the command line into option values. An option given twice counts the last time, as in getopt(3). */
export function parseOptions(argv: readonly string[]): OptionValues {
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(
      Object.entries(options as Record<string, Option>).map(([name, { short, value }]) => [
        name,
        { type: value === undefined ? 'boolean' : 'string', ...(short === undefined ? {} : { short }) },
      ]),
    ),
  });
  const values: OptionValues = {};
  for (const token of tokens) {
    if (token.kind === 'positional') throw usageError(`unexpected argument ${token.value}`);
    if (token.kind !== 'option') continue;
    const known = options[token.name as OptionName] as Option | undefined;
    if (
      known === undefined ||
      (known.value === undefined) !== (token.value === undefined) ||
      token.value === ''
    ) {
      throw usageError(describe({ token: token.rawName, name: token.name }));
    }
    values[token.name as OptionName] = token.value ?? true;
  }
  return values;
}

/** The text of --help. */
export function helpText(): string {
  const rows = Object.entries(options as Record<string, Option>).map(([name, { short, value, help }]) => {
    const flags = `${short === undefined ? '   ' : `-${short},`} --${name}${value === undefined ? '' : ` ${value}`}`;
    return `  ${flags.padEnd(24)} ${help}`;
  });
  return `Usage: virtfs-proxy-helper --path DIR {--socket PATH | --fd N} [option ...]

Serves DIR to one virtual machine over QEMU's 9p proxy driver.

${rows.join('\n')}

With --socket, start QEMU with
  -fsdev proxy,id=fs0,socket=PATH -device virtio-9p-pci,fsdev=fs0,mount_tag=share
and mount the share in the guest with
  mount -t 9p -o trans=virtio,version=9p2000.L share /mnt

Without --nodaemon the command returns when the socket is ready, and goes on in the background.

Exit status: ${ExitStatus.OK} the client closed the connection, ${ExitStatus.FAILURE} the start or the connection failed,
${ExitStatus.USAGE} wrong usage, ${ExitStatus.PROTOCOL_VIOLATION} the client broke the protocol, ${ExitStatus.UNSAFE} own privileges were lost.
`;
}
