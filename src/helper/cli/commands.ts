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

/** Every command; `starting-program.ts` knows what carries it out. */
export const commands = {
  run: {
    usage: '[--run-as USER] --path DIR [option ...] [--path DIR [option ...]] ... -- COMMAND [argument ...]',
    summary: 'share directories with a command (QEMU) that is started with the descriptors',
    notes: `Starts a helper for each --path, then COMMAND with a connection to each, and ends when COMMAND does, with its
exit status. In its arguments {fd} stands for the descriptor of the first share, {fd2} for that of the second, and so on:

  virtfs-proxy-helper run --run-as nobody --path /srv/a --path /srv/b --readonly -- \\
    qemu-system-x86_64 ... \\
    -fsdev proxy,id=a,sock_fd={fd} -device virtio-9p-pci,fsdev=a,mount_tag=a \\
    -fsdev proxy,id=b,sock_fd={fd2} -device virtio-9p-pci,fsdev=b,mount_tag=b

An option belongs to the --path before it; in front of the first --path it holds for all shares.
Exit status: that of COMMAND, or 128 and the number of the signal that ended it; 126 or 127 when it cannot be started;
when a helper does not start, COMMAND does not either, and the status is the helper's.`,
    options: {
      'run-as': { value: 'USER', help: 'run COMMAND as this user, a name or an id, with its groups' },
      'keep-env': {
        value: 'NAME',
        repeatable: true,
        help: "with --run-as: keep the caller's variable NAME; else COMMAND gets TERM alone; repeatable",
      },
      ...optionsOfShares(decidedByRun),
    },
    operand: { value: 'COMMAND' },
  },
  share: {
    usage: '--path DIR --listen ADDRESS [option ...]',
    summary: 'share a directory over 9P with a virtual machine that has no proxy driver',
    notes: `Starts a helper for DIR, and a 9P server without any right that uses it, and stays in the foreground until the guest
has left; with --keep-listening until a signal ends it. ADDRESS is one of
  unix:PATH            a socket: Firecracker and Cloud Hypervisor connect to UDS_PORT for a guest's port of vsock
  tcp:ADDRESS:PORT     of this machine ([::1] for IPv6), for a user network's guestfwd
  vsock:PORT           QEMU with vhost-vsock-pci
  fd:N                 an inherited descriptor: a socket of these kinds, listening or connected
In the guest:
  mount -t 9p -o trans=tcp,port=564,version=9p2000.L 10.0.2.100 /mnt
  mount-vsock -p 564 /mnt    (over vsock: the script guest/mount-vsock of this package)
An option of the helper means what it means for it. Without root it works with the mapped models.
Exit status: ${ExitStatus.OK} the guest has left, or a signal ended the share, ${ExitStatus.FAILURE} the start, the connection or the helper failed,
${ExitStatus.USAGE} wrong usage, ${ExitStatus.PROTOCOL_VIOLATION} the guest broke the protocol.`,
    options: {
      ...serverOptions,
      ...optionsOfShares([...decidedByRun, 'pidfile', 'descriptor-requests', 'help']),
      help,
    },
    operand: {},
  },
  status: {
    usage: '[--json | --openmetrics | --watch] [SOCKET ...]',
    summary: 'show what running helpers do',
    notes: `Asks helpers that were started with --control for what they serve, to whom, and for their counters. Without SOCKET
these are all helpers of the machine; with the --control path of a listener, its clients.`,
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
