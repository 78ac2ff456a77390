/** What `scripts/demo` shows. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { exitOnSignals, Machine } from './qemu.js';

const step = (text: string): void => {
  console.log(`\n== ${text}`);
};

exitOnSignals();
step('Booting a guest without hardware acceleration: about 10 seconds');
const machine = await Machine.boot({ tag: 'share' });
try {
  const { directory, helper, qemuArguments } = machine.share('share');
  fs.writeFileSync(path.join(directory, 'from-host.txt'), 'Written on the host.\n');
  fs.mkdirSync(path.join(directory, 'projects'));
  fs.chownSync(path.join(directory, 'projects'), 1000, 1000);
  console.log(`the helper:   ${helper.commandLine}`);
  console.log(`QEMU's words: ${qemuArguments.join(' ')}`);

  step('In the guest: mount the share and look at it');
  await guest('mkdir /mnt/share');
  await guest('mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288 share /mnt/share');
  await guest('grep 9p /proc/mounts');
  await guest('uname -sr; ls -ln /mnt/share; cat /mnt/share/from-host.txt');

  step('In the guest, as user 1000: create a file and a link');
  await guest(
    'cd /mnt/share/projects; echo "Written in the guest." >hello.txt; ln -s hello.txt link; ls -ln',
    1000,
  );
  step('In the guest, as root: a directory, a device node, an extended attribute');
  await guest('cd /mnt/share; mkdir -m 750 made-by-root; mknod null c 1 3');
  await guest('cd /mnt/share; setfattr -n user.from -v guest from-host.txt; df -h /mnt/share');

  step('On the host: the same files, owned as the guest sees them');
  onHost('ls', '-lnR', '.');
  onHost('cat', 'projects/hello.txt');
  onHost('getfattr', '-d', 'from-host.txt');

  step('Turning the guest off');
  await machine.run('umount /mnt/share');
  const { qemu, helpers } = await machine.powerOff();
  console.log(
    `QEMU ended with ${qemu}, the helper with ${helpers[0]!.end}; errors logged: ${helpers[0]!.errors.length}`,
  );
  if (qemu !== 0 || helpers[0]!.end !== 0 || helpers[0]!.errors.length > 0) process.exitCode = 1;
} finally {
  await machine.destroy();
}

async function guest(script: string, uid?: number): Promise<void> {
  console.log(uid === undefined ? `guest # ${script}` : `guest $ ${script}`);
  const output = await machine.run(script, uid === undefined ? {} : { as: { uid, gid: uid } });
  if (output !== '') console.log(output);
}

function onHost(program: string, ...argv: string[]): void {
  console.log(`host # ${[program, ...argv].join(' ')}`);
  process.stdout.write(execFileSync(program, argv, { cwd: machine.share('share').directory }));
}
