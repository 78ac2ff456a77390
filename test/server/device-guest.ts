/**
 * A guest of User Mode Linux whose virtio-9p device is served by `share` on this host, and so at its speed. The kernel is
 * our own (`scripts/uml-kernel`): Debian's has no virtio.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { repositoryRoot } from '../../harness/guest/repository.js';
import { patience } from '../../harness/patience.js';
import { ShareProcess } from '../../harness/share-process.js';
import { type GuestOptions, UmlGuest, whyNoUml } from '../../harness/uml-guest.js';
import { whyNoShare } from './share-under-test.js';

const kernel = execFileSync(join(repositoryRoot, 'scripts', 'uml-kernel'), ['--path'], {
  encoding: 'utf8',
}).trim();

export const DEVICE_MOUNT = '/mnt/share';

/** Why there is no such guest here, or undefined if there is. */
export function whyNoDeviceGuest(): string | undefined {
  const whyNoKernel = existsSync(kernel) ? undefined : 'no kernel with virtio: run scripts/uml-kernel';
  return whyNoUml() ?? whyNoShare() ?? whyNoKernel;
}

/** A share that waits at the socket for the guest that has the device. */
export async function plugged(
  socket: string,
  path: string,
  ...options: readonly string[]
): Promise<ShareProcess> {
  const share = new ShareProcess([
    ...['--path', path, '--listen', `vhost-user:${socket}`, '--tag', 'share'],
    ...options,
  ]);
  await expect.poll(() => share.report, { timeout: 20_000 * patience }).toBe('ready\n');
  return share;
}

export function bootWithDevice(socket: string, options: GuestOptions = {}): Promise<UmlGuest> {
  const words = ['root=/', 'rootflags=/', `virtio_uml.device=${socket}:9:1`];
  return UmlGuest.boot({ ...options, kernel, words });
}

export async function mountDevice(guest: UmlGuest, options: readonly string[]): Promise<void> {
  await guest.run(
    `mkdir -p ${DEVICE_MOUNT}; mount -t 9p -o trans=virtio,${options.join(',')} share ${DEVICE_MOUNT}`,
  );
}
