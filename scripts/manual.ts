/** Makes the man page from the tables of options and commands: mdoc(7). */
import { type Command, commands } from '../src/helper/cli/commands.js';
import type { OptionTable } from '../src/cli/arguments.js';
import { options } from '../src/helper/cli/options.js';
import { ExitStatus } from '../src/startup/exit-status.js';
import { type StartFailure, startErrors } from '../src/startup/start-errors.js';

/** Of this text. */
const DATE = 'November 27, 2026';

/** A text as roff takes it: no backslash, and no control character at the beginning of a line. */
function text(words: string): string {
  return words.replaceAll('\\', '\\e').replaceAll(/^([.'])/gm, '\\&$1');
}

function optionList(table: OptionTable): string {
  const items = Object.entries(table).map(([name, { short, value, help }]) => {
    const argument = value === undefined ? '' : ` Ar ${value}`;
    const flags = `${short === undefined ? '' : `Fl ${short} , `}Fl \\-${name}${argument}`;
    return `.It ${flags}\n${text(help)}`;
  });
  return `.Bl -tag -width Ds\n${items.join('\n')}\n.El`;
}

/** Options that a command has besides those of serving. */
function ownOptions(table: OptionTable): OptionTable {
  return Object.fromEntries(
    Object.entries(table).filter(([name, option]) => (options as OptionTable)[name] !== option),
  );
}

function commandSection(name: string, { usage, notes, options: table }: Command): string {
  return `.Ss ${name}
.Nm
.Cm ${name}
.Li ${text(usage)}
.Bd -unfilled -offset indent
${text(notes)}
.Ed
${optionList(ownOptions(table))}`;
}

interface Entry {
  /** How mdoc(7) marks the terms up: Ev a variable, Pa a path, none a signal. */
  readonly macro: '' | 'Ev ' | 'Pa ';
  readonly terms: readonly string[];
  readonly meaning: string;
}

const signals: readonly Entry[] = [
  {
    macro: '',
    terms: ['SIGTERM', 'SIGINT', 'SIGHUP'],
    meaning: `End the session, with exit status 0.
The client sees the end of its connection.
With --keep-listening the clients' processes are ended first; those that have not ended after ten seconds are killed.
The command share ends the helper and the server, with exit status 0.`,
  },
  {
    macro: '',
    terms: ['SIGUSR1'],
    meaning: `Log the counters, as the command status shows them.
With --keep-listening the process of each client does.`,
  },
  {
    macro: '',
    terms: ['SIGQUIT', 'SIGUSR2'],
    meaning: `The command run passes these and those above on to COMMAND, and ends when it does.
What a terminal sends to both is not passed on.`,
  },
];

const files: readonly Entry[] = [
  {
    macro: 'Pa ',
    terms: ['/etc/virtfs-proxy-helper/VM.conf'],
    meaning:
      'What the systemd units serve to the machine VM: EXPORT=, OWNER=, OPTIONS=, COMMON= and SERVER_OPTIONS=.',
  },
  {
    macro: 'Pa ',
    terms: ['/run/virtfs-proxy-helper/VM/9p.sock'],
    meaning: 'The socket of virtfs-proxy-helper@VM.socket.',
  },
  {
    macro: 'Pa ',
    terms: ['/run/virtfs-9p-server/VM/9p.sock'],
    meaning: 'The socket of virtfs-9p-server@VM.socket.',
  },
  {
    macro: 'Pa ',
    terms: ['/run/virtfs-proxy-helper-control/VM/socket'],
    meaning: 'The socket for the command status, while virtfs-proxy-helper@VM.service runs.',
  },
  {
    macro: 'Pa ',
    terms: ['/run/virtfs-proxy-helper-exports'],
    meaning: `What running helpers of root's export, a locked file for each: see --path-base.`,
  },
  {
    macro: 'Pa ',
    terms: ['/run/virtfs-proxy-helper-mounts'],
    meaning: `The numbers of the mounts that helpers of root's with --descriptor-requests had, a file for each export:
the next helper takes descriptors of their files, too.`,
  },
];

const environment: readonly Entry[] = [
  {
    macro: 'Ev ',
    terms: ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES'],
    meaning: `The socket that the service manager passes: sd_listen_fds(3).
It is served when neither --socket nor --fd is given.`,
  },
  {
    macro: 'Ev ',
    terms: ['NOTIFY_SOCKET', 'WATCHDOG_PID', 'WATCHDOG_USEC'],
    meaning: 'Where and how often the service manager wants to be told the state: sd_notify(3).',
  },
  {
    macro: 'Ev ',
    terms: ['JOURNAL_STREAM'],
    meaning: 'When stderr is the journal, a line of the log begins with its priority: systemd.exec(5).',
  },
  {
    macro: 'Ev ',
    terms: ['NODE_OPTIONS'],
    meaning: `Options for Node.
The serving program gets no other variable of its caller.`,
  },
  {
    macro: 'Ev ',
    terms: ['PATH'],
    meaning: 'Where COMMAND of run is looked for, and unshare(1), which a start without root takes.',
  },
];

function entryList(entries: readonly Entry[]): string {
  const items = entries.map(
    ({ macro, terms, meaning }) => `.It ${macro}${terms.join(` , ${macro}`)}\n${text(meaning)}`,
  );
  return `.Bl -tag -width Ds\n${items.join('\n')}\n.El`;
}

/** Each on a line of its own, as mdoc(7) wants them. */
const sentences = (words: string): string => words.replaceAll('. ', '.\n');

function failureList(failures: Readonly<Record<string, StartFailure>>): string {
  const items = Object.entries(failures).map(
    ([code, { meaning, remedy, status }]) =>
      `.It ${code}\n${text(sentences(meaning))}\n${text(sentences(remedy))}${status === undefined ? '' : `\nThe exit status is ${status}.`}`,
  );
  return `.Bl -tag -width Ds\n${items.join('\n')}\n.El`;
}

/** The page, virtfs-proxy-helper(8). */
export function manual(version: string): string {
  return `.Dd ${DATE}
.Dt VIRTFS-PROXY-HELPER 8
.Os "virtfs-proxy-helper ${version}"
.Sh NAME
.Nm virtfs-proxy-helper
.Nd serve a directory to a virtual machine over QEMU's 9p proxy driver
.Sh SYNOPSIS
.Nm
.Fl \\-path Ar DIR
.Brq Fl \\-socket Ar PATH | Fl \\-fd Ar N
.Op Ar option ...
.Nm
.Ar COMMAND
.Op Ar argument ...
.Sh DESCRIPTION
.Nm
does the file system operations of a virtual machine's 9p share as root, so that QEMU can run as an ordinary user.
It serves one client, confined to the directory, and ends when the client closes the connection.
.Pp
Without
.Fl \\-nodaemon
it goes to the background when it is ready.
.Pp
The options are:
${optionList(options)}
.Sh COMMANDS
Each command has a
.Fl \\-help
of its own.
${Object.entries(commands)
  .map(([name, command]) => commandSection(name, command))
  .join('\n')}
.Sh SIGNALS
${entryList(signals)}
.Sh ENVIRONMENT
${entryList(environment)}
.Sh FILES
${entryList(files)}
.Sh EXIT STATUS
.Bl -tag -width Ds
.It ${ExitStatus.OK}
The client closed the connection, or a signal asked to stop.
.It ${ExitStatus.FAILURE}
The start failed, or the connection did.
.It ${ExitStatus.USAGE}
The command line was wrong.
.It ${ExitStatus.PROTOCOL_VIOLATION}
The client broke the protocol.
.It ${ExitStatus.UNSAFE}
Own ids or capabilities could not be restored.
.El
.Pp
The command run ends with the status of its COMMAND.
.Sh EXAMPLES
A share with a socket for a QEMU that runs as the user libvirt-qemu:
.Bd -literal -offset indent
virtfs-proxy-helper --path /srv/share --socket /run/9p.sock --uid libvirt-qemu
qemu-system-x86_64 ... \\e
  -fsdev proxy,id=fs0,socket=/run/9p.sock \\e
  -device virtio-9p-pci,fsdev=fs0,mount_tag=share
.Ed
.Pp
In the guest:
.Bd -literal -offset indent
mount -t 9p -o trans=virtio,version=9p2000.L share /mnt
.Ed
.Sh DIAGNOSTICS
A start that fails is told in one line, which ends with a code in brackets.
The text may change from version to version; a code does not.
The exit status is 1 where no other is named.
${failureList(startErrors)}
.Sh SEE ALSO
.Xr qemu-system 1 ,
.Xr systemd.socket 5 ,
.Xr capabilities 7
`;
}
