// Starts QEMU, as the user who calls, on a directory that is shared with the guest:
//   node orchestrator.mjs DIR [argument of QEMU ...]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { shareDirectory } from 'virtfs-proxy-helper';

const [directory, ...rest] = process.argv.slice(2);

// resolves when the helper serves; an exception says in one line why it does not
const share = await shareDirectory({ path: directory, options: ['--log-level=warn'] });
void share.ended.then(({ status, signal }) => {
  if (status !== 0) console.error(`the share of ${directory} has ended: ${signal ?? status}`);
});

// the fourth descriptor of QEMU is number 3
const fsdev = ['-fsdev', 'proxy,id=fs0,sock_fd=3', '-device', 'virtio-9p-pci,fsdev=fs0,mount_tag=share'];
const qemu = spawn(process.env.QEMU ?? 'qemu-system-x86_64', [...fsdev, ...rest], {
  stdio: ['inherit', 'inherit', 'inherit', share.descriptor],
});
// QEMU has its own copy now; with ours closed the helper ends when QEMU does
share.release();

const [status] = await once(qemu, 'exit');
await share.stop();
process.exitCode = status ?? 1;
