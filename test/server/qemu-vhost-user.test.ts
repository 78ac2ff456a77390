/** Guests of the newest QEMU, whose virtio-9p device is served by `share`: their programs and their work come from shares. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Machine } from '../../harness/guest/qemu.js';
import { type DebianTree, debianTesting } from '../../harness/debian-tree.js';
import { patience } from '../../harness/patience.js';
import { exportForTest } from '../../harness/tree.js';
import { differences, type Feature } from './guest-work.js';
import { whyNoShare } from './share-under-test.js';

const MINUTE = 60_000 * patience;
const linux: readonly Feature[] = [
  ...(['links', 'owners', 'nodes', 'xattrs', 'locks'] as const),
  ...(['moves', 'special', 'space'] as const),
];

const whyNot = whyNoShare();
const tree = whyNot ?? debianTesting();
const skip = typeof tree === 'string' ? tree : undefined;
if (skip !== undefined) console.warn(`guests of QEMU with a vhost-user device skipped: ${skip}`);
afterAll(() => {
  if (typeof tree !== 'string') tree.remove();
});

function work(name: string, features: readonly Feature[]): string {
  const program = fs.readFileSync(path.join(import.meta.dirname, name), 'utf8');
  return `python3 -S - ${features.join(' ')} 2>&1 <<'END OF PROGRAM'\n${program}\nEND OF PROGRAM`;
}

function here(name: string, directory: string, features: readonly Feature[]): string {
  return execFileSync('sh', ['-c', work(name, features)], { cwd: directory, encoding: 'utf8' }).trimEnd();
}

// with more than 3 GiB there is memory below and above 4 GiB
describe.skipIf(skip !== undefined).each([1_024, 6_144])('a guest with %d MiB', (memory) => {
  let booted: Machine | undefined;
  const machine = (): Machine => booted!;

  beforeAll(async () => {
    booted = await Machine.bootWith({ tree: (tree as DebianTree).path, memory }, [
      { tag: 'usr', by: 'vhost-user', directory: '/usr', helperOptions: ['--readonly'] },
      { tag: 'share', by: 'vhost-user' },
    ]);
    await machine().run(
      `${machine().mountCommand('usr', 'version=9p2000.L,ro,cache=loose,msize=512000')} /usr`,
    );
  }, 10 * MINUTE);
  afterAll(() => booted?.destroy());

  it.each<[string, readonly Feature[]]>([
    ['version=9p2000.L,msize=512000,access=user,cache=none', linux],
    ['version=9p2000.L,msize=65536,access=client,cache=mmap', [...linux, 'mmap']],
    ['version=9p2000.u,msize=8192,access=user,cache=loose', ['nodes', 'special']],
    ['version=9p2000,msize=4096,access=any,cache=none', []],
  ])(
    'cannot tell a share from a file system of the host: %s',
    async (options, features) => {
      const [local, place] = [exportForTest(), '/mnt/share'];
      const expected = here('file-work.py', local, features);
      const listed = here('list-files.py', local, features);
      await machine().mount('share', options);
      const inGuest = (name: string): Promise<string> =>
        machine().run(`cd ${place}/work; ${work(name, features)}`, { timeout: 3 * MINUTE });
      await machine().run(`rm -rf ${place}/work; mkdir ${place}/work`);
      const done = await inGuest('file-work.py');
      const seen = await inGuest('list-files.py');
      await machine().unmount('share');
      const behind = here('list-files.py', path.join(machine().share('share').directory, 'work'), features);
      expect(differences(expected, done)).toEqual([]);
      expect(differences(listed, seen), 'in the guest').toEqual([]);
      expect(differences(listed, behind), 'on the host').toEqual([]);
    },
    4 * MINUTE,
  );

  it(
    'asks for more at a time than the ring has room for',
    async () => {
      const { directory } = machine().share('share');
      const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7_919) >> 5));
      fs.writeFileSync(path.join(directory, 'large'), bytes);
      const digest = createHash('sha256').update(bytes).digest('hex');
      await machine().mount('share', 'version=9p2000.L,msize=512000,cache=none');
      const script = `
cd /mnt/share
for number in $(seq 150); do cp large copy$number & done; wait
sha256sum copy* | cut -d' ' -f1 | sort -u; rm copy*`;
      expect(await machine().run(script, { timeout: 3 * MINUTE })).toBe(digest);
      await machine().unmount('share');
    },
    4 * MINUTE,
  );

  it(
    'finds the share again after its driver came anew',
    async () => {
      await machine().run(`
cd /sys/bus/virtio/drivers/9pnet_virtio
device=$(basename $(dirname $(grep -l share virtio*/mount_tag)))
echo $device >unbind; echo $device >bind`);
      await machine().mount('share');
      expect(await machine().run('echo again >/mnt/share/file; cat /mnt/share/file')).toBe('again');
      await machine().unmount('share');
    },
    MINUTE,
  );
});
