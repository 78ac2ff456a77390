import type { Option, OptionTable } from '../../cli/arguments.js';
import { ExitStatus } from '../../startup/exit-status.js';
import { serverOptions } from '../../server/cli/options.js';
import { options } from './options.js';

/** What the program does besides serving: chosen by its first argument, which for serving begins with a dash. */
export interface Command {
  /** What follows the name in the usage line. */
  readonly usage: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** The text of its own help, before the options. */
  readonly notes: string;
  readonly options: OptionTable;
  /** What its operands are. */
  readonly operand: Pick<Option, 'value' | 'choices'>;
}

const help: Option = { short: 'h', help: 'print this text' };

/** What serving has and `run` decides itself. */
const decidedByRun = [
  'socket',
  'fd',
  'uid',
  'gid',
  'allow-uid',
  'nodaemon',
  'keep-listening',
  'ready-fd',
  'print-privileges',
  'former-mounts',
  'version',
];

function optionsOfShares(decided: readonly string[]): OptionTable {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !decided.includes(name)));
}

/** Of the helper's options those that its 9P server has to know as well. */
const alsoOfServer = ['poll-us', 'seccomp', 'log-level', 'log-format'] as const;

/** Every command; `starting-program.ts` knows what carries it out. */
export const commands = {
  run: {
    usage: '[--run-as USER] --path DIR [option ...] [--path DIR [option ...]] ... -- COMMAND [argument ...]',
    summary: 'start a command (QEMU) with connections to helpers that share directories',
    notes: `Starts a helper for each --path, then COMMAND with a connection to each, and exits with COMMAND's exit status. In the
arguments of COMMAND, {fd} stands for the descriptor of the first share, {fd2} for that of the second, and so on:

  virtfs-proxy-helper run --run-as nobody --path /srv/a --path /srv/b --readonly -- \\
    qemu-system-x86_64 ... \\
    -fsdev proxy,id=a,sock_fd={fd} -device virtio-9p-pci,fsdev=a,mount_tag=a \\
    -fsdev proxy,id=b,sock_fd={fd2} -device virtio-9p-pci,fsdev=b,mount_tag=b

An option applies to the --path before it, or to all shares if it stands before the first --path.
Exit status: that of COMMAND, or 128 plus the number of the signal that ended it; 126 or 127 if COMMAND cannot be started.
If a helper does not start, COMMAND is not started, and the status is the helper's.`,
    options: {
      'run-as': {
        value: 'USER',
        help: 'run COMMAND as this user, by name or id, with the groups of that user',
      },
      'keep-env': {
        value: 'NAME',
        repeatable: true,
        help: "with --run-as: pass the caller's variable NAME to COMMAND, which otherwise gets TERM only; repeatable",
      },
      ...optionsOfShares(decidedByRun),
    },
    operand: { value: 'COMMAND' },
  },
  share: {
    usage: '--path DIR --listen ADDRESS [option ...]',
    summary: 'share a directory over 9P with a virtual machine, without the proxy driver',
    notes: `Starts a helper for DIR and a 9P server without privileges that uses it. Stays in the foreground until the guest
disconnects, or with --keep-listening until a signal ends it. ADDRESS is one of
  unix:PATH            a unix socket: for QEMU's guestfwd; Firecracker and Cloud Hypervisor connect a guest's vsock PORT to UDS_PORT
  tcp:ADDRESS:PORT     an address of this machine ([::1] for IPv6)
  vsock:PORT           for QEMU with vhost-vsock-pci
  vhost-user:PATH      the emulator connects, and the guest has a virtio-9p device with the mount tag of --tag
  fd:N                 an inherited socket of the first three kinds, listening or connected (vhost-user-fd:N: of the fourth)
In the guest:
  mount -t 9p -o trans=tcp,port=564,version=9p2000.L 10.0.2.100 /mnt
  mount-vsock -p 564 /mnt    (over vsock: the script guest/mount-vsock of this package)
  mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 TAG /mnt    (vhost-user)
The options of the helper work here, too. Without root it works with the mapped models and none.
Exit status: ${ExitStatus.OK} the guest disconnected, or a signal ended the share, ${ExitStatus.FAILURE} the start, the connection or the helper failed,
${ExitStatus.USAGE} wrong usage, ${ExitStatus.PROTOCOL_VIOLATION} the guest broke the protocol.`,
    options: {
      ...serverOptions,
      ...optionsOfShares([...decidedByRun, 'pidfile', 'descriptor-requests', 'help']),
      help,
    },
    operand: {},
  },
  server: {
    usage: '--helper PATH --listen ADDRESS [option ...]',
    summary: 'the unprivileged half of share, beside a helper that runs already',
    notes: `Connects to the helper that serves at the unix socket PATH, starts the 9P server, and stays in the foreground until the
guest has left; with --keep-listening until a signal ends it. It needs no right but to connect. The helper is started with
--descriptor-requests, with --keep-listening where this command has it, and takes the user of this one as its client:
  virtfs-proxy-helper --path DIR --socket PATH --uid USER --descriptor-requests --keep-listening
When the helper is gone the server goes on with the next one that listens at PATH; the guest waits until then.
ADDRESS and what the guest does are those of share, and so are the options; --security-model is that of the helper.
Exit status: ${ExitStatus.OK} the guest has left, or a signal ended the server, ${ExitStatus.FAILURE} the start or the connection failed,
${ExitStatus.USAGE} wrong usage, ${ExitStatus.PROTOCOL_VIOLATION} the guest broke the protocol.`,
    options: {
      helper: { value: 'PATH', help: 'the unix socket at which the helper serves' },
      ...serverOptions,
      control: {
        ...options.control,
        help: 'answer the status command at PATH.9p; PATH is that of the helper, if it answers, too',
      },
      'security-model': { ...options['security-model'], help: 'that of the helper (default: passthrough)' },
      ...Object.fromEntries(alsoOfServer.map((name) => [name, options[name]])),
      help,
    },
    operand: {},
  },
  status: {
    usage: '[--json | --openmetrics | --watch] [SOCKET ...]',
    summary: 'show what running helpers and 9P servers do',
    notes: `Asks helpers that were started with --control for what they serve, to whom, and for their counters. Without SOCKET
these are all helpers of the machine; with the --control path of a listener, its clients. The 9P server of a share is
shown with its helper.`,
    options: {
      json: { help: 'one JSON object on a line for each helper' },
      openmetrics: { help: 'the metrics of all these helpers, for Prometheus' },
      watch: { help: 'show them again every second, until one whose SOCKET was given ends' },
      help,
    },
    operand: { value: 'SOCKET' },
  },
  completion: {
    usage: '{bash | zsh | fish}',
    summary: 'print what completes the command line in a shell',
    notes: `Prints a script that makes the shell complete options and their values:
  source <(virtfs-proxy-helper completion bash)`,
    options: { help },
    operand: { value: 'SHELL', choices: ['bash', 'zsh', 'fish'] },
  },
} as const satisfies Record<string, Command>;

export type CommandName = keyof typeof commands;

export function isCommand(word: string | undefined): word is CommandName {
  return word !== undefined && Object.hasOwn(commands, word);
}
