/** A real guest through `run`: QEMU as an ordinary user, two shares, one of them read-only. */
import {
  chownSync,
  copyFileSync,
  chmodSync,
  mkdtempSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { GuestAgent } from '../../harness/guest/agent.js';
import { guestImage } from '../../harness/guest/image.js';
import { whyNotRoot } from '../../harness/helper-process.js';
import { exportForTest, removeTree } from '../../harness/tree.js';
import { startRun } from '../../harness/run-process.js';

const NOBODY = 65_534;
const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`test of run with a guest skipped: ${skipped}`);

it.skipIf(skipped !== undefined)(
  'run boots a guest on a QEMU of nobody, which works in both shares',
  async () => {
    const place = mkdtempSync(join(tmpdir(), 'run-guest-'));
    onTestFinished(() => {
      removeTree(place);
    });
    chownSync(place, NOBODY, NOBODY);
    const { kernel, initramfs } = guestImage();
    for (const [name, source] of Object.entries({ kernel, initramfs })) {
      copyFileSync(source, join(place, name));
      chmodSync(join(place, name), 0o644);
    }
    const agent = await GuestAgent.listen(join(place, 'agent'));
    onTestFinished(() => {
      agent.close();
    });
    chownSync(join(place, 'agent'), NOBODY, NOBODY);
    const [work, fixed] = [exportForTest(), exportForTest()];
    writeFileSync(join(fixed, 'file'), 'from the host');

    const share = (id: string, fd: string): string[] => [
      ...['-fsdev', `proxy,id=${id},sock_fd=${fd}`],
      ...['-device', `virtio-9p-pci,fsdev=${id},mount_tag=${id}`],
    ];
    const run = startRun(
      ['--log-level=error', '--run-as=nobody', '--path', work, '--path', fixed, '--readonly'],
      [...share('work', '{fd}'), ...share('fixed', '{fd2}')],
      {
        command: [
          'qemu-system-x86_64',
          ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-monitor', 'none'],
          ...['-machine', 'pc', '-accel', 'tcg', '-m', '256', '-serial', `file:${join(place, 'serial')}`],
          ...['-kernel', join(place, 'kernel'), '-initrd', join(place, 'initramfs')],
          ...[
            '-append',
            'console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable no_timer_check audit=0 apparmor=0',
          ],
          ...['-chardev', `socket,id=agent,path=${join(place, 'agent')}`],
          ...['-device', 'virtio-serial-pci', '-device', 'virtserialport,chardev=agent,nr=1'],
        ],
      },
    );
    try {
      await agent.ready(90_000);
    } catch (error) {
      throw new Error(`${String(error)}; stderr of run:\n${run.stderr}`, { cause: error });
    }
    expect(readFileSync(`/proc/${run.pid}/status`, 'utf8')).toContain(`\nUid:\t${NOBODY}\t${NOBODY}\t`);

    const script = `set -e
      for tag in work fixed; do mkdir -p /mnt/$tag; mount -t 9p -o trans=virtio,version=9p2000.L $tag /mnt/$tag; done
      cd /mnt/work; echo written >file; chown 1000:1001 file; chmod 640 file; mv file moved; cat moved /mnt/fixed/file
      ! echo more >/mnt/fixed/file || exit 1
      cd /; umount /mnt/work /mnt/fixed`;
    const { status, stdout, stderr } = await agent.run(script, 25_000);
    expect(stderr).toContain('Read-only file system');
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 0, stdout: 'written\nfrom the host' });
    expect(statSync(join(work, 'moved'))).toMatchObject({ uid: 1000, gid: 1001, mode: 0o100640 });
    expect(readFileSync(join(fixed, 'file'), 'utf8')).toBe('from the host');

    void agent.run('poweroff -f', 20_000).catch(() => undefined); // it never answers
    expect(await run.end()).toEqual({ status: 0, signal: null });
    expect(run.stderr).toBe('');
  },
  150_000,
);
