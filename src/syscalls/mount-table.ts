/** A line of /proc/PID/mountinfo: proc_pid_mountinfo(5). */
export interface Mount {
  /** The kernel gives it to another mount when this one has gone. */
  readonly id: number;
  /** The id of the mount on which it is mounted. */
  readonly parent: number;
  /** The id and the device, which is no other's for as long as anybody, we for instance, has the file system mounted. */
  readonly identity: string;
  /** Where it is, from the root of the process that opened the table: bytes, one in each character (latin1). */
  readonly path: string;
  readonly fileSystem: string;
  /** The device, and which directory of it is mounted. */
  readonly source: string;
  /** Whether it gets what others mount on the mount that it is a copy of. */
  readonly isSlave: boolean;
}

/** @param table the bytes of the file as latin1 */
export function parseMountTable(table: string): readonly Mount[] {
  return table
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [mount = '', superblock = ''] = line.split(' - ');
      const [id = '', parent = '', device = '', root = '', path = '', , ...propagation] = mount.split(' ');
      const [fileSystem = ''] = superblock.split(' ');
      return {
        id: Number(id),
        parent: Number(parent),
        identity: `${id} ${device}`,
        path: unescape(path),
        fileSystem,
        source: `${device} ${root}`,
        isSlave: propagation.some((field) => field.startsWith('master:')),
      };
    });
}

/** Mount points have blanks and the like as octal numbers. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** The path of a mount from a directory, empty for the directory itself; undefined where it is elsewhere. */
export function pathBelow(directory: string, { path }: Mount): string | undefined {
  if (path === directory) return '';
  const prefix = directory === '/' ? '/' : `${directory}/`;
  return path.startsWith(prefix) ? path.slice(prefix.length) : undefined;
}
