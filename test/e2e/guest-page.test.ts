/** The ways to mount and the lines of fstab of docs/guest.md, by mount(8) in a guest that has a device and a network. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tableRows } from '../../harness/documented.js';
import { Machine } from '../../harness/guest/qemu.js';
import { repositoryRoot } from '../../harness/guest/repository.js';
import { patience } from '../../harness/patience.js';
import { skipUnlessRoot } from '../../harness/root-only.js';

const PAGE = readFileSync(path.join(repositoryRoot, 'docs', 'guest.md'), 'utf8');
const MINUTE = 60_000 * patience;
const code = (cell = ''): string => /`([^`]*)`/.exec(cell)?.[1] ?? '';

describe.skipIf(skipUnlessRoot('the page on guests'))('docs/guest.md', () => {
  let booted: Machine | undefined;
  const machine = (): Machine => booted!;

  beforeAll(async () => {
    booted = await Machine.boot(
      // the first one has the address 10.0.2.100
      { tag: 'tcp', by: 'guestfwd' },
      { tag: 'share' },
      { tag: 'usr', by: 'guestfwd', directory: '/usr', helperOptions: ['--readonly'] },
    );
    await machine().run(`${machine().mountCommand('usr', 'version=9p2000.L,ro,cache=loose')} /usr`);
    for (const tag of ['tcp', 'share']) writeFileSync(path.join(machine().share(tag).directory, 'file'), tag);
    await machine().run('mkdir -p /mnt/share /mnt/tcp /etc /run; ln -sf /proc/self/mounts /etc/mtab');
  }, 4 * MINUTE);
  afterAll(() => booted?.destroy(), MINUTE);

  it.each([
    ['its own device', 'share'],
    ['TCP', 'tcp'],
  ])('mounts by %s', async (way, tag) => {
    const [, command] = tableRows('docs/guest.md', 'In the guest', 'way').find(([name]) => name === way)!;
    expect(await machine().run(`${code(command)}; cat /mnt/share/file; umount /mnt/share`)).toBe(tag);
  });

  it('mounts by both lines of fstab', async () => {
    const lines = /^```\n(share .*?)^```/ms.exec(PAGE)![1]!;
    const printed = await machine().run(`
printf '%s' '${lines}' >/etc/fstab
mount -a; cat /mnt/share/file /mnt/tcp/file; grep -c ' 9p .*mmap' /proc/mounts
umount /mnt/share /mnt/tcp`);
    expect(printed).toBe('sharetcp2');
  });

  it('tells what mount(8) says', async () => {
    const said = async (script: string): Promise<string> =>
      (await machine().attempt(`mkdir -p /mnt/other; ${script}`)).stderr;
    const mount = (tag: string, at: string): string =>
      `mount -t 9p -o trans=virtio,version=9p2000.L ${tag} ${at}`;
    const busy = await said(`${mount('share', '/mnt/share')}; ${mount('share', '/mnt/other')}`);
    await machine().run('umount /mnt/share');
    const rows = tableRows('docs/guest.md', 'When it fails', 'what mount(8) says').map(([cell]) =>
      code(cell),
    );
    for (const [stderr, row] of [
      [busy, 2],
      [await said(mount('nowhere', '/mnt/other')), 1],
    ] as const)
      expect(stderr).toContain(rows[row]!.replace('share ', row === 1 ? 'nowhere ' : 'share '));
  });
});
