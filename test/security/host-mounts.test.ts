/** What a guest can do to the host's mounts in the export. */
import { closeSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import { followerOf, isMounted, PATIENCE, seen, serve, until } from '../../harness/mounting-host.js';
import { requests } from '../../harness/requests.js';

const skipped = whyNotRoot();
const suffix = skipped === undefined ? '' : ` (${skipped})`;
const ENOENT = 2;
const EBUSY = 16;
const ENOTDIR = 20;
const EROFS = 30;

describe.skipIf(skipped !== undefined)(
  `what the host mounts, against a guest that removes what is below${suffix}`,
  () => {
    /** The host's mounts as systemd makes them. */
    const SHARED = 'mount --make-rshared /';

    it.each([
      ['a procfs, which is never followed', [], 'proc'],
      ['a disk, before it is followed', [], 'tmpfs'],
      ['a disk, with --host-mounts ignore', ['--host-mounts', 'ignore'], 'tmpfs'],
    ] as const)('stays from the first moment, where the mounts are shared: %s', async (_what, args, type) => {
      const { client, helper, host, directory } = await serve(args, `${SHARED}; mkdir d d/new`);
      const follower = followerOf(helper.pid);
      expect(follower === undefined).toBe(args.length > 0);
      writeFileSync(join(directory, 'file'), '');
      // so that it is always too late
      if (follower !== undefined) process.kill(follower, 'SIGSTOP');
      host.run(`
      cd ${directory}; mount -t ${type} later disk; mount -t ${type} later d/new
      mount --bind /proc/version file; mkdir tree; mount -t tmpfs tree tree; mkdir tree/in; mount -t tmpfs in tree/in`);
      expect(client.request(requests.remove('/disk')).errno).toBe(EBUSY);
      expect(client.request(requests.rename('/other', '/disk')).errno).toBe(EBUSY);
      expect(client.request(requests.remove('/d/new')).errno).toBe(EBUSY);
      expect(client.request(requests.remove('/file')).errno).toBe(EBUSY);
      for (const path of ['disk', 'd/new', 'file', 'tree/in']) {
        expect([path, isMounted(host, join(directory, path))]).toEqual([path, true]);
      }
      host.run(`cd ${directory}; umount disk d/new file; umount -R tree`);
      for (const path of ['/disk', '/d/new', '/file', '/tree'])
        expect([path, client.request(requests.remove(path)).errno]).toEqual([path, 0]);
    });

    it('stays where the mounts are not shared, though it is one that is never followed, or cannot be', async () => {
      const { client, host, directory } = await serve([], 'mkdir -p d/new; echo text >file');
      host.run(`
      cd ${directory}; mount -t proc proc d/new; mount --bind /proc/self/ns/uts file
      mount -t tmpfs unbindable /mnt; mount --make-unbindable /mnt
      mount --move /mnt disk; mkdir last; mount -t tmpfs last last; touch last/there`);
      await until(client, '/last/there', 0);
      for (const path of ['d/new', 'file', 'disk']) {
        expect([path, client.request(requests.remove(`/${path}`)).errno]).toEqual([path, EBUSY]);
        expect([path, isMounted(host, join(directory, path))]).toEqual([path, true]);
        // what the host would not see
        const made = client.request(requests.mkdir({ uid: 0, gid: 0 }, `/${path}/made`, 0o755)).errno;
        expect([path, made]).toEqual([path, path === 'file' ? ENOTDIR : EROFS]);
      }
      expect(client.request(requests.rename('/other', '/d/new')).errno).toBe(EBUSY);
      expect(client.request(requests.rename('/d', '/moved')).errno).toBe(0);

      host.run(`cd ${directory}; umount file; umount moved/new`);
      for (const path of ['/file', '/moved/new'])
        await vi.waitFor(() => {
          expect([path, client.request(requests.remove(path)).errno]).toEqual([path, 0]);
        }, PATIENCE);
    });

    it('cannot be reached where they hold it: by a request, and by QEMU from a directory', async () => {
      const { client, helper, host, directory } = await serve(['--host-mounts', 'ignore'], SHARED);
      host.run(
        `mount -t proc later ${directory}/other; mount -t tmpfs upon ${directory}; mkdir ${directory}/upon`,
      );
      const { descriptor } = client.request(requests.open('/', 0o200000));
      for (const path of ['/other/self', '/../other/self', '/../../upon', '/disk/../../other/self'])
        expect([path, seen(client, path)]).toEqual([path, ENOENT]);
      for (const path of ['other/self', '../other/self', '../../upon', 'disk/../../other/self'])
        expect([path, existsSync(`/proc/self/fd/${descriptor}/${path}`)]).toEqual([path, false]);
      expect(existsSync(`/proc/${helper.pid}/root/disk`)).toBe(true);
      expect(existsSync(`/proc/${helper.pid}/root/upon`)).toBe(false);
      closeSync(descriptor!);
      host.run(`umount ${directory}; umount ${directory}/other`);
      expect(seen(client, '/disk')).toBe(0);
    });

    it.each([SHARED, `${SHARED}; mount --make-private disk`])(
      'is let go of when the host unmounts it, also what was there at the start: %s',
      async (sharing) => {
        const image = 'truncate -s 16M image; mkfs.ext2 -q image; mount -o loop image disk; mkdir disk/in';
        const { host, directory } = await serve([], `${image}; mount -t tmpfs in disk/in; ${sharing}`);
        const device = host.run(`findmnt -n -o SOURCE ${directory}/disk`);
        host.run(`umount ${directory}/disk/in; umount ${directory}/disk`);
        // a loop device goes with the last mount of it
        await vi.waitFor(() => {
          expect(host.run(`losetup -n -O BACK-FILE ${device} 2>/dev/null || true`)).toBe('');
        }, PATIENCE);
      },
    );
  },
);
