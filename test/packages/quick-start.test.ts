/** docs/quick-start.md, as somebody follows it who knows apt and systemctl: a bare Debian 13, its QEMU, and a guest. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, describe, it } from 'vitest';
import { qemuPackages } from '../../harness/debian-tree.js';
import { shellBlocks } from '../../harness/documented.js';
import { GuestAgent } from '../../harness/guest/agent.js';
import { guestImage } from '../../harness/guest/image.js';
import { patience } from '../../harness/patience.js';
import { skipUnlessRoot } from '../../harness/root-only.js';
import { BareDebian } from './bare-debian.js';

const MINUTE = 60_000 * patience;

describe.skipIf(skipUnlessRoot('the quick start'))('who follows the quick start', () => {
  let debian: BareDebian;
  let meeting: string;
  let agent: GuestAgent;
  const [install, share, machine, mount] = shellBlocks('docs/quick-start.md') as [string, ...string[]];

  beforeAll(async () => {
    meeting = fs.mkdtempSync(path.join(os.tmpdir(), 'quick-start-'));
    // what the user of the tree passes through
    fs.chmodSync(meeting, 0o755);
    const { kernel, initramfs } = guestImage();
    fs.copyFileSync(kernel, path.join(meeting, 'kernel'));
    fs.copyFileSync(initramfs, path.join(meeting, 'initramfs'));
    agent = await GuestAgent.listen(path.join(meeting, 'agent'));
    fs.chmodSync(path.join(meeting, 'agent'), 0o777);
    // the tree has no network to get QEMU from
    debian = await BareDebian.boot('trixie', { packages: qemuPackages, meeting });
  }, 10 * MINUTE);
  afterAll(async () => {
    agent.close();
    await debian.remove();
  }, MINUTE);

  it(
    'has a guest with a directory of the host',
    async () => {
      const started = Date.now();
      const step = (name: string): void => {
        console.log(`quick start: ${name} after ${((Date.now() - started) / 1000).toFixed(1)} s`);
      };
      debian.booted.run(`cd /root/new; ${install}`);
      step('installed');
      debian.booted.run(`set -e; ${share!}`);
      step('configured');
      const disk = '-drive file=/var/lib/vm1.qcow2,if=virtio';
      expect(machine).toContain(disk);
      // the guest of all tests has no disk
      const guest = `-display none -kernel ${meeting}/kernel -initrd ${meeting}/initramfs -append quiet \\
        -chardev socket,id=agent,path=${meeting}/agent -device virtio-serial-pci -device virtserialport,chardev=agent,nr=1`;
      const ready = agent.ready(2 * MINUTE);
      debian.booted.run(`systemd-run --quiet --unit machine sh -c '${machine!.replace(disk, guest)}'`);
      await ready;
      step('the guest has booted');
      fs.writeFileSync(debian.booted.at('/srv/vm1/from-host'), 'written on the host\n');
      const script = `set -e\n${mount!}cat /mnt/from-host; echo changed >/mnt/file; chown 1000:100 /mnt/file`;
      const { status, stdout, stderr } = await agent.run(script, MINUTE);
      step('mounted');
      expect([status, stdout.toString(), stderr]).toEqual([0, 'written on the host\n', '']);
      expect(debian.booted.run('stat -c "%u:%g %s" /srv/vm1/file')).toBe('1000:100 8');
    },
    5 * MINUTE,
  );
});
