/**
 * Guests of QEMU that reach shares through its user network. They have their programs from one share, and work on another
 * as on a file system of the host.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Machine } from '../../harness/guest/qemu.js';
import { DebianTree, qemuPackages } from '../../harness/debian-tree.js';
import { patience } from '../../harness/patience.js';
import { exportForTest } from '../../harness/tree.js';
import { differences, type Feature } from './guest-work.js';
import { whyNoShare } from './share-under-test.js';

const skip = whyNoShare();
if (skip !== undefined) console.warn(`guests of QEMU with a 9P server skipped: ${skip}`);

const MINUTE = 60_000 * patience;
const features: readonly Feature[] = [
  ...(['links', 'owners', 'nodes', 'xattrs', 'locks'] as const),
  ...(['moves', 'special', 'space', 'mmap'] as const),
];

const [work, list] = ['file-work.py', 'list-files.py'].map((name) =>
  fs.readFileSync(path.join(import.meta.dirname, name), 'utf8'),
);

function onHost(program: string, directory: string): string {
  const argv = ['-S', '-c', program, ...features];
  return execFileSync('python3', argv, { cwd: directory, encoding: 'utf8' }).trimEnd();
}

const emulators = [
  { name: 'QEMU of this machine', tree: () => undefined, full: 'forwarded' },
  {
    name: "Debian 13's QEMU and kernel",
    tree: () => new DebianTree(qemuPackages, { bare: 'trixie' }),
    full: 'tcp',
  },
] as const;

describe.skipIf(skip !== undefined).each(emulators)('a guest of $name', ({ tree: makeTree, full }) => {
  let tree: DebianTree | undefined;
  let booted: Machine | undefined;
  const machine = (): Machine => booted!;

  beforeAll(async () => {
    tree = makeTree();
    booted = await Machine.bootWith(tree === undefined ? {} : { tree: tree.path }, [
      { tag: 'usr', by: 'guestfwd', directory: '/usr', helperOptions: ['--readonly'] },
      { tag: 'forwarded', by: 'guestfwd' },
      { tag: 'tcp', by: 'tcp' },
    ]);
    await machine().run(`${machine().mountCommand('usr', 'version=9p2000.L,ro,cache=loose')} /usr`);
  }, 15 * MINUTE);
  afterAll(async () => {
    await booted?.destroy();
    tree?.remove();
  }, MINUTE);

  const inGuest = (program: string, directory: string): Promise<string> => {
    const script = `cd ${directory}; python3 -S - ${features.join(' ')} 2>&1 <<'END OF PROGRAM'\n${program}\nEND OF PROGRAM`;
    return machine().run(script, { timeout: 3 * MINUTE });
  };

  it.each(['forwarded', 'tcp'])(
    'reads and writes: %s',
    async (tag) => {
      await machine().mount(tag, 'version=9p2000.L,access=user,cache=mmap,msize=1048576');
      const { directory } = machine().share(tag);
      const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 7_919) >> 5));
      fs.writeFileSync(path.join(directory, 'large'), bytes);
      const digest = createHash('sha256').update(bytes).digest('hex');
      const place = `/mnt/${tag}`;
      expect(await machine().run(`cp ${place}/large ${place}/copy; sha256sum <${place}/copy`)).toContain(
        digest,
      );
      expect(fs.readFileSync(path.join(directory, 'copy')).equals(bytes)).toBe(true);
      await machine().run(`rm ${place}/*`);
    },
    2 * MINUTE,
  );

  it(
    'cannot tell a share from a file system of the host',
    async () => {
      const local = exportForTest();
      const expected = onHost(work!, local);
      const listed = onHost(list!, local);
      const done = await inGuest(work!, `/mnt/${full}`);
      const seen = await inGuest(list!, `/mnt/${full}`);
      await machine().run(`sync`);
      expect(differences(expected, done)).toEqual([]);
      expect(differences(listed, seen)).toEqual([]);
      expect(differences(listed, onHost(list!, machine().share(full).directory))).toEqual([]);
    },
    5 * MINUTE,
  );

  it(
    'mounts a forwarded address again, which has one connection for as long as QEMU runs',
    async () => {
      await machine().unmount('forwarded');
      fs.writeFileSync(path.join(machine().share('forwarded').directory, 'meanwhile'), 'written\n');
      await machine().mount('forwarded');
      expect(await machine().run('cat /mnt/forwarded/meanwhile')).toBe('written');
    },
    MINUTE,
  );

  it(
    'ends, and every share with it',
    async () => {
      await machine().run('umount /mnt/*; umount -l /usr');
      expect(await machine().powerOff()).toEqual({
        qemu: 0,
        helpers: ['usr', 'forwarded', 'tcp'].map((tag) => ({ tag, end: 0, errors: [] })),
      });
    },
    MINUTE,
  );
});
