/** An export with more than one file system in it: to the guest it is one, where an inode number names one file. */
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Session, sessionForTest, whyNotRoot } from '../../harness/helper-process.js';
import { errnoName } from '../../harness/libc.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of several devices skipped: ${skipped}`);

const others = ['a', 'b'] as const;

/** An export with two more file systems, whose inodes have the same numbers. */
function exportWithDevices(): string {
  const path = exportForTest();
  writeFileSync(join(path, 'file'), '');
  for (const name of others) {
    const place = join(path, name);
    mkdirSync(place);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', place]);
    onTestFinished(() => {
      execFileSync('umount', ['--lazy', place]);
    });
    writeFileSync(join(place, 'file'), name);
    linkSync(join(place, 'file'), join(place, 'link'));
  }
  const [first, second] = others.map((name) => statSync(join(path, name, 'file'), { bigint: true }));
  expect(first!.ino, 'no such case here').toBe(second!.ino);
  expect(first!.dev).not.toBe(second!.dev);
  return path;
}

/** Device and inode number as the guest's emulator gets them. */
function seen({ client }: Session, path: string): { device: bigint; inode: bigint } {
  const { errno, payload } = client.request(requests.lstat(path));
  expect([path, errnoName(errno)]).toEqual([path, 'success']);
  return { device: payload.readBigUInt64LE(0), inode: payload.readBigUInt64LE(8) };
}

const names = ['/file', ...others.flatMap((name) => [`/${name}`, `/${name}/file`, `/${name}/link`])];

describe.skipIf(skipped !== undefined)('an export of several file systems', () => {
  it.each(['passthrough', 'none', 'mapped-xattr', 'mapped-file'])(
    'has a number of its own for every file, and one for its links, in %s',
    (model) => {
      const path = exportWithDevices();
      const session = sessionForTest(path, { args: ['--security-model', model] });
      const inodes = names.map((name) => seen(session, name).inode);
      // two names of each are links of one file
      expect(new Set(inodes).size, session.helper.stderr()).toBe(names.length - others.length);
      for (const name of others) {
        expect(seen(session, `/${name}/file`)).toEqual(seen(session, `/${name}/link`));
      }
      // the export's own device keeps its numbers, which QEMU also finds in directories
      expect(seen(session, '/file').inode).toBe(statSync(join(path, 'file'), { bigint: true }).ino);
      // QEMU warns of others
      const devices = new Set(names.map((name) => seen(session, name).device));
      expect([...devices]).toEqual([statSync(path, { bigint: true }).dev]);
    },
  );

  it('has the same numbers when the helper is started again, whatever is looked at first', () => {
    const path = exportWithDevices();
    const [first, second] = [sessionForTest(path), sessionForTest(path)];
    const before = names.map((name) => seen(first, name).inode);
    const after = [...names].reverse().map((name) => seen(second, name).inode);
    expect(after.reverse()).toEqual(before);
  });

  it('refuses what is on another device with --multidevs=forbid, and says so in the log', () => {
    const session = sessionForTest(exportWithDevices(), { args: ['--multidevs=forbid'] });
    expect(errnoName(session.client.request(requests.lstat('/a/file')).errno)).toBe('ENODEV');
    expect(errnoName(session.client.request(requests.lstat('/a')).errno)).toBe('ENODEV');
    expect(seen(session, '/file').inode).toBeGreaterThan(0n);
    expect(session.helper.stderr()).toMatch(/^warn: refused a file of another device \(device=\d+:\d+/m);
  });

  it('shows the numbers as they are with --multidevs=warn, and says so in the log', () => {
    const path = exportWithDevices();
    const session = sessionForTest(path, { args: ['--multidevs=warn'] });
    const { ino, dev } = statSync(join(path, 'a/file'), { bigint: true });
    expect(seen(session, '/a/file')).toEqual({ device: dev, inode: ino });
    seen(session, '/b/file');
    expect(session.helper.stderr().match(/^warn: .*several devices.*device=\d+:\d+/gm)).toHaveLength(1);
  });
});
