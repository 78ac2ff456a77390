/** Makes the man page from the tables of options and commands: mdoc(7). */
import { type Command, commands } from '../src/cli/commands.js';
import { options, type OptionTable } from '../src/cli/options.js';
import { ExitStatus } from '../src/exit-status.js';

/** Of this text. */
const DATE = 'November 23, 2026';

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

/** The page, virtfs-proxy-helper(1). */
export function manual(version: string): string {
  return `.Dd ${DATE}
.Dt VIRTFS-PROXY-HELPER 1
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
.Sh SEE ALSO
.Xr qemu-system 1 ,
.Xr capabilities 7
`;
}
