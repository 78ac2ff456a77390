import { describe, expect, it } from 'vitest';
import { InodeNumbers } from '../../src/helper/security-models/inode-numbers.js';
import { FileStatus } from '../../src/syscalls/status.js';

/** What the guest sees of an inode of a device. */
function shown(numbers: InodeNumbers, [major, minor]: readonly [number, number], inode: bigint): bigint {
  const { words } = new FileStatus();
  words[FileStatus.DEV_MAJOR] = major;
  words[FileStatus.DEV_MINOR] = minor;
  words[FileStatus.INO] = Number(inode & 0xffff_ffffn);
  words[FileStatus.INO + 1] = Number(inode >> 32n);
  numbers.replace(words);
  return BigInt(words[FileStatus.INO]!) | (BigInt(words[FileStatus.INO + 1]!) << 32n);
}

/** Two disks, their partitions, device mapper, and what has no device of its own. */
const devices = [
  ...[0, 1, 2, 3, 16, 17].map((minor) => [8, minor] as const),
  ...[0, 1, 2].map((minor) => [253, minor] as const),
  ...Array.from({ length: 300 }, (_, index) => [0, 30 + index] as const),
  [511, 0xf_ffff] as const,
];
const shortInodes = [0n, 1n, 2n, 256n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn];
const longInodes = [
  ...Array.from({ length: 32 }, (_, bit) => 1n << BigInt(32 + bit)),
  ...Array.from({ length: 32 }, (_, bit) => (1n << BigInt(32 + bit)) | 256n),
  0xffff_ffff_ffff_ffffn,
];

describe('inode numbers of other devices', () => {
  it('are all different, those of 32 bits above 2^52 and exact in a double', () => {
    const numbers = new InodeNumbers();
    const all = new Set<bigint>();
    for (const device of devices) {
      for (const inode of shortInodes) {
        const number = shown(numbers, device, inode);
        expect(number >= 1n << 52n && number < 1n << 53n).toBe(true);
        all.add(number);
      }
      for (const inode of longInodes) all.add(shown(numbers, device, inode));
    }
    expect(all.size).toBe(devices.length * (shortInodes.length + longInodes.length));
  });

  it('are those of the helper before, in whatever order the devices are seen', () => {
    const [first, second] = [new InodeNumbers(), new InodeNumbers()];
    const before = devices.map((device) => [shown(first, device, 2n), shown(first, device, 1n << 40n)]);
    const after = [...devices].reverse().map((device) => {
      return [shown(second, device, 2n), shown(second, device, 1n << 40n)];
    });
    expect(after.reverse()).toEqual(before);
  });

  it('stay different when more devices come than there is room for, and do not change then', () => {
    const numbers = new InodeNumbers();
    const many = Array.from({ length: 20_000 }, (_, minor) => [0, minor] as const);
    const once = many.map((device) => shown(numbers, device, 256n));
    expect(new Set(once).size).toBe(many.length);
    expect(many.map((device) => shown(numbers, device, 256n))).toEqual(once);
  });
});
