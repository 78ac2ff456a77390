import { readAt } from './files.js';
import { stableMemory } from './memory.js';
import { Poll, POLLPRI } from './poll.js';

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

const BLOCK_BYTES = 65_536;

/** A mountinfo: the mounts of the process that opened it which its root of that moment leads to. */
export class MountTable {
  readonly #descriptor: number;
  readonly #block = stableMemory(BLOCK_BYTES);
  readonly #poll: Poll;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
    this.#poll = new Poll(descriptor, POLLPRI);
  }

  /** Whether anything was mounted, unmounted or changed since it was asked last, or opened. */
  hasChanged(): boolean {
    return this.#poll.isReady(0);
  }

  /** All mounts; none where it cannot be read. */
  read(): readonly Mount[] {
    const parts: Buffer[] = [];
    for (let at = 0; ;) {
      const bytes = readAt(this.#descriptor, this.#block, BLOCK_BYTES, at);
      if (bytes <= 0) break;
      parts.push(Buffer.from(this.#block.subarray(0, bytes)));
      at += bytes;
    }
    return parseMountTable(Buffer.concat(parts).toString('latin1'));
  }
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
