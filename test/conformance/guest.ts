/** What a guest does and sees, in words that are easy to compare: `ok`, the name of an error, or what was read. */
import type { Owner } from '../../harness/requests.js';

export const root: Owner = { uid: 0, gid: 0 };
export const user: Owner = { uid: 1000, gid: 1001 };
export const unchanged = 0xffff_ffff;

export interface Status {
  /** Type and permissions, octal. */
  readonly mode: string;
  readonly owner: string;
  readonly links: number;
  readonly device: string;
  readonly size: number;
  readonly modified: bigint;
}

/** QEMU's proxy driver with its guest (ProxyGuest), or a guest of the 9P server (NinepGuest). */
export interface Guest {
  /** A path of the export as the host knows it. */
  host(path: string): string;
  create(path: string, mode?: number, owner?: Owner, flags?: number): string;
  mkdir(path: string, mode?: number, owner?: Owner): string;
  mknod(path: string, mode: number, device?: number | bigint, owner?: Owner): string;
  symlink(target: string, path: string, owner?: Owner): string;
  link(existing: string, path: string): string;
  rename(from: string, to: string): string;
  remove(path: string): string;
  chmod(path: string, mode: number): string;
  chown(path: string, uid: number, gid: number): string;
  truncate(path: string, length: number): string;
  utime(path: string, accessed: bigint, modified: bigint): string;
  open(path: string, flags?: number): string;
  /** Asks for the generation. */
  version(path: string): string;
  statfs(path: string): string;
  write(path: string, content: string): string;
  read(path: string): string;
  readlink(path: string): string;
  getxattr(path: string, name: string): string;
  setxattr(path: string, name: string, value: string | Buffer, flags?: number): string;
  removexattr(path: string, name: string): string;
  /** The names of an object's attributes, sorted; those of the host's security modules left out. */
  listxattr(path: string): string;
  status(path: string): Status;
  /** `ok` when there is something, or the error. */
  exists(path: string): string;
  /** Mode and owner, what the models are about. */
  look(path: string): string;
}
