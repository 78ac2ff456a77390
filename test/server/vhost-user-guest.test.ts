/** A guest's own driver on a device that its emulator leaves to `share`: the same work on it as on a local file system. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { patience } from '../../harness/patience.js';
import { exportForTest } from '../../harness/tree.js';
import { bootWithDevice, DEVICE_MOUNT, mountDevice, plugged, whyNoDeviceGuest } from './device-guest.js';
import { differences, type Feature } from './guest-work.js';

const skip = whyNoDeviceGuest();
if (skip !== undefined) console.warn(`the guest of a vhost-user device skipped: ${skip}`);

const TIMEOUT = 120_000 * patience;
const all: readonly Feature[] = ['links', 'owners', 'nodes', 'xattrs', 'locks', 'moves', 'special', 'space'];

function work(name: string, features: readonly Feature[]): readonly string[] {
  return ['python3', '-S', join(import.meta.dirname, name), ...features];
}

function workHere(name: string, directory: string, features: readonly Feature[]): string {
  const [program = '', ...words] = work(name, features);
  return execFileSync(program, words, {
    cwd: directory,
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  });
}

describe.skipIf(skip !== undefined)('the guest of a vhost-user device', { timeout: 240_000 }, () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'vhost-user-'));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  const socket = (): string => join(directory, 'socket');

  it('cannot tell it from a local file system, in any dialect and of any message size', async () => {
    const path = exportForTest();
    await plugged(socket(), path);
    const guest = await bootWithDevice(socket());
    try {
      const variants: readonly [readonly string[], readonly Feature[]][] = [
        [['version=9p2000.L', 'msize=512000', 'access=user', 'cache=none'], all],
        [
          ['version=9p2000.L', 'msize=65536', 'access=client', 'cache=mmap'],
          [...all, 'mmap'],
        ],
        [
          ['version=9p2000.u', 'msize=8192', 'access=user', 'cache=loose'],
          ['nodes', 'special'],
        ],
        [['version=9p2000', 'msize=4096', 'access=any', 'cache=none'], []],
      ];
      for (const [nth, [options, features]] of variants.entries()) {
        const local = exportForTest();
        const expected = workHere('file-work.py', local, features);
        const listed = workHere('list-files.py', local, features);
        await mountDevice(guest, options);
        const place = `${DEVICE_MOUNT}/${nth}`;
        const script = (name: string): string => `cd ${place}; ${work(name, features).join(' ')} 2>&1`;
        await guest.run(`mkdir ${place}`);
        const output = await guest.run(script('file-work.py'), TIMEOUT);
        const listing = await guest.run(script('list-files.py'), TIMEOUT);
        await guest.run(`umount ${DEVICE_MOUNT}`);
        const behind = workHere('list-files.py', join(path, `${nth}`), features);
        expect(differences(expected.trimEnd(), output), options.join()).toEqual([]);
        expect(differences(listed.trimEnd(), listing), `in the guest: ${options.join()}`).toEqual([]);
        expect(differences(listed, behind), `on the host: ${options.join()}`).toEqual([]);
      }
    } finally {
      await guest.destroy();
    }
  });

  it('finds it again after every boot, with --keep-listening', async () => {
    const share = await plugged(socket(), exportForTest(), '--keep-listening');
    for (let boots = 0; boots < 2; boots++) {
      const guest = await bootWithDevice(socket());
      await mountDevice(guest, ['version=9p2000.L']);
      expect(
        await guest.run(
          `ls ${DEVICE_MOUNT}; echo ${boots} > ${DEVICE_MOUNT}/boot-${boots}; umount ${DEVICE_MOUNT}`,
        ),
      ).toBe(boots === 0 ? '' : 'boot-0');
      // the driver goes, and comes back with an empty ring
      const unbind =
        'device=$(ls /sys/bus/virtio/drivers/9pnet_virtio | grep ^virtio); cd /sys/bus/virtio/drivers/9pnet_virtio';
      await guest.run(`${unbind}; echo $device > unbind; echo $device > bind`);
      await mountDevice(guest, ['version=9p2000.L']);
      expect(await guest.run(`cat ${DEVICE_MOUNT}/boot-${boots}; umount ${DEVICE_MOUNT}`)).toBe(`${boots}`);
      await guest.destroy();
    }
    expect(share.stderr).not.toContain('refused');
  });
});
