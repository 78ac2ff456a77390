import { ExitStatus } from '../../startup/exit-status.js';
import { type Command, type CommandName, commands } from './commands.js';
import type { OptionTable } from '../../cli/arguments.js';
import { options } from './options.js';

/** The lines that tell of a table's options. */
function optionRows(table: OptionTable): string {
  const rows = Object.entries(table).map(([name, { short, value, help }]) => {
    const flags = `${short === undefined ? '   ' : `-${short},`} --${name}${value === undefined ? '' : ` ${value}`}`;
    return `  ${flags.padEnd(24)} ${help}`;
  });
  return rows.join('\n');
}

/** The text of --help. */
export function helpText(): string {
  const others = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(24)} ${summary}`);
  return `Usage: virtfs-proxy-helper --path DIR [--socket PATH | --fd N] [option ...]
       virtfs-proxy-helper COMMAND [argument ...]

Serves DIR to one virtual machine over QEMU's 9p proxy driver.

${optionRows(options)}

With --socket, start QEMU with
  -fsdev proxy,id=fs0,socket=PATH -device virtio-9p-pci,fsdev=fs0,mount_tag=share
and mount the share in the guest with
  mount -t 9p -o trans=virtio,version=9p2000.L share /mnt

Without --nodaemon the command returns when the socket is ready, and the helper continues in the background.

Without --socket and --fd the helper takes the socket that systemd passes (LISTEN_FDS), and stays in the foreground.

Commands (COMMAND --help describes each):
${others.join('\n')}

Exit status: ${ExitStatus.OK} the client closed the connection, ${ExitStatus.FAILURE} the start or the connection failed,
${ExitStatus.USAGE} wrong usage, ${ExitStatus.PROTOCOL_VIOLATION} the client broke the protocol, ${ExitStatus.UNSAFE} the helper could not restore its privileges.
`;
}

/** The text of `COMMAND --help`. */
export function commandHelp(name: CommandName): string {
  const { usage, notes, options: table }: Command = commands[name];
  return `Usage: virtfs-proxy-helper ${name} ${usage}\n\n${notes}\n\n${optionRows(table)}\n`;
}
