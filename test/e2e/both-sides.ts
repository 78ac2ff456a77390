/** The same file as the host and as the guest see it. */
import fs from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import type { Machine } from '../../harness/guest/qemu.js';

export interface Attributes {
  /** File type and permission bits in octal, as in `st_mode`. */
  readonly mode: string;
  readonly owner: string;
  readonly links: number;
  readonly size: number;
  readonly blocks: number;
  /** "major:minor" of a device node. */
  readonly device: string;
  /** Nanoseconds since the epoch. */
  readonly accessed: bigint;
  readonly modified: bigint;
  readonly changed: bigint;
}

export function onHost(file: string | Buffer): Attributes {
  const stat = fs.lstatSync(file, { bigint: true });
  // glibc's 64-bit device number, for the small numbers used here.
  const device = stat.isBlockDevice() || stat.isCharacterDevice() ? stat.rdev : 0n;
  return {
    mode: stat.mode.toString(8),
    owner: `${stat.uid}:${stat.gid}`,
    links: Number(stat.nlink),
    size: Number(stat.size),
    blocks: Number(stat.blocks),
    device: `${(device >> 8n) & 0xfffn}:${device & 0xffn}`,
    accessed: stat.atimeNs,
    modified: stat.mtimeNs,
    changed: stat.ctimeNs,
  };
}

/** `file` is a word of the shell: quoted where it has to be. */
export async function inGuest(machine: Machine, file: string): Promise<Attributes> {
  const line = await machine.run(`stat -c '%f %u:%g %h %s %b %t:%T %.9X %.9Y %.9Z' ${file}`);
  const [mode, owner, links, size, blocks, device, ...times] = line.split(' ');
  const [accessed, modified, changed] = times.map((time) => BigInt(time.replace('.', '')));
  return {
    mode: Number.parseInt(mode!, 16).toString(8),
    owner: owner!,
    links: Number(links),
    size: Number(size),
    blocks: Number(blocks),
    device: device!
      .split(':')
      .map((part) => Number.parseInt(part, 16))
      .join(':'),
    accessed: accessed!,
    modified: modified!,
    changed: changed!,
  };
}

/** Requires both views of a file of a share to be the same, and returns it. */
export async function agreed(machine: Machine, tag: string, name: string): Promise<Attributes> {
  const host = onHost(path.join(machine.share(tag).directory, name));
  const guest = await inGuest(machine, `/mnt/${tag}/'${name}'`);
  expect(guest, `${name}: the guest's view against the host's`).toEqual(host);
  return host;
}
