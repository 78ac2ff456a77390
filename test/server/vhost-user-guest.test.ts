/** A guest's own driver on a device that its emulator leaves to `share`: the same work on it as on a local file system. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../harness/guest/repository.js';
import { patience } from '../../harness/patience.js';
import { exportForTest } from '../../harness/tree.js';
import { UmlGuest, whyNoUml } from '../../harness/uml-guest.js';
import { differences, type Feature } from './guest-work.js';
import { ShareProcess } from '../../harness/share-process.js';
import { whyNoShare } from './share-under-test.js';

const kernel = execFileSync(join(repositoryRoot, 'scripts', 'uml-kernel'), ['--path'], {
  encoding: 'utf8',
}).trim();
const whyNoKernel = existsSync(kernel) ? undefined : 'no kernel with virtio: run scripts/uml-kernel';
const skip = whyNoUml() ?? whyNoShare() ?? whyNoKernel;
if (skip !== undefined) console.warn(`the guest of a vhost-user device skipped: ${skip}`);

const MOUNT = '/mnt/share';
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

  async function plugged(path: string, ...options: readonly string[]): Promise<ShareProcess> {
    const socket = join(directory, 'socket');
    const share = new ShareProcess([
      '--path',
      path,
      '--listen',
      `vhost-user:${socket}`,
      '--tag',
      'share',
      ...options,
    ]);
    await expect.poll(() => share.report, { timeout: 20_000 * patience }).toBe('ready\n');
    return share;
  }

  const boot = (): Promise<UmlGuest> =>
    UmlGuest.boot({
      kernel,
      words: ['root=/', 'rootflags=/', `virtio_uml.device=${join(directory, 'socket')}:9:1`],
    });

  const mount = (guest: UmlGuest, options: readonly string[]): Promise<string> =>
    guest.run(`mkdir -p ${MOUNT}; mount -t 9p -o trans=virtio,${options.join(',')} share ${MOUNT}`);

  it('cannot tell it from a local file system, in any dialect and of any message size', async () => {
    const path = exportForTest();
    await plugged(path);
    const guest = await boot();
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
        await mount(guest, options);
        const place = `${MOUNT}/${nth}`;
        const script = (name: string): string => `cd ${place}; ${work(name, features).join(' ')} 2>&1`;
        await guest.run(`mkdir ${place}`);
        const output = await guest.run(script('file-work.py'), TIMEOUT);
        const listing = await guest.run(script('list-files.py'), TIMEOUT);
        await guest.run(`umount ${MOUNT}`);
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
    const share = await plugged(exportForTest(), '--keep-listening');
    for (let boots = 0; boots < 2; boots++) {
      const guest = await boot();
      await mount(guest, ['version=9p2000.L']);
      expect(await guest.run(`ls ${MOUNT}; echo ${boots} > ${MOUNT}/boot-${boots}; umount ${MOUNT}`)).toBe(
        boots === 0 ? '' : 'boot-0',
      );
      // the driver goes, and comes back with an empty ring
      const unbind =
        'device=$(ls /sys/bus/virtio/drivers/9pnet_virtio | grep ^virtio); cd /sys/bus/virtio/drivers/9pnet_virtio';
      await guest.run(`${unbind}; echo $device > unbind; echo $device > bind`);
      await mount(guest, ['version=9p2000.L']);
      expect(await guest.run(`cat ${MOUNT}/boot-${boots}; umount ${MOUNT}`)).toBe(`${boots}`);
      await guest.destroy();
    }
    expect(share.stderr).not.toContain('refused');
  });
});
