/** What `scripts/demo` shows. */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { exitOnSignals, Machine } from './qemu.js';
import type { ShareOptions } from './share.js';

const step = (text: string): void => {
  console.log(`\n== ${text}`);
};

const version = execFileSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8' }).split('\n')[0]!;
const hasDriver = qemuHasDriver();
const shares: readonly ShareOptions[] = [
  { tag: 'share', by: 'guestfwd' },
  ...(hasDriver ? [{ tag: 'driver' }] : []),
];

exitOnSignals();
step(`Booting a guest without hardware acceleration, on ${version}: about 10 seconds`);
const machine = await Machine.boot(...shares);
try {
  const { directory, helper, qemuArguments } = machine.share('share');
  fs.writeFileSync(path.join(directory, 'from-host.txt'), 'Written on the host.\n');
  fs.mkdirSync(path.join(directory, 'projects'));
  fs.chownSync(path.join(directory, 'projects'), 1000, 1000);
  console.log(`on the host:  ${helper.commandLine}`);
  console.log(`QEMU's words: ${qemuArguments.join(' ')}`);

  step('In the guest: mount the share over 9P and look at it');
  await guest('mkdir /mnt/share');
  await guest(`${machine.mountCommand('share', 'version=9p2000.L,msize=524288')} /mnt/share`);
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

  if (hasDriver) await showDriver();
  else console.log('\nThis QEMU has no proxy driver (9.2 removed it), so that is all that there is to show.');

  step('Turning the guest off');
  await machine.run('cd /; umount /mnt/*');
  const { qemu, helpers } = await machine.powerOff();
  console.log(`QEMU ended with ${qemu}`);
  for (const { tag, end, errors } of helpers)
    console.log(`what served ${tag} ended with ${end}; errors logged: ${errors.length}`);
  const good = qemu === 0 && helpers.every(({ end, errors }) => end === 0 && errors.length === 0);
  if (!good) process.exitCode = 1;
} finally {
  await machine.destroy();
}

/** A helper that QEMU itself is the client of. */
async function showDriver(): Promise<void> {
  step("The same by QEMU's proxy driver, which this QEMU has (9.2 removed it)");
  const { helper, qemuArguments, directory } = machine.share('driver');
  console.log(`on the host:  ${helper.commandLine}`);
  console.log(`QEMU's words: ${qemuArguments.join(' ')}`);
  await guest('mkdir /mnt/driver');
  await guest(`${machine.mountCommand('driver', 'version=9p2000.L,msize=524288')} /mnt/driver`);
  await guest('cp -a /mnt/share/projects /mnt/driver; ls -ln /mnt/driver/projects');
  onHost('ls', '-ln', path.join(directory, 'projects'));
}

/** Both are refused: one has no such driver, the other was told no socket. */
function qemuHasDriver(): boolean {
  const words = ['-M', 'none', '-nodefaults', '-display', 'none', '-fsdev', 'proxy,id=none'];
  const { stderr } = spawnSync('qemu-system-x86_64', words, { encoding: 'utf8', timeout: 20_000 });
  return !stderr.includes('fsdriver proxy not found');
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
