// Starts Firecracker or Cloud Hypervisor with directories that its guest reaches over vsock:
//   EMULATOR_UID=1000 node vsock-shares.mjs SOCKET DIR [DIR ...] -- EMULATOR [argument ...]
// SOCKET is that of the emulator's vsock device. A guest that connects to port 564 of the host arrives at SOCKET_564, where
// the first directory is; 565 is the second, and so on.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { shareDirectory } from 'virtfs-proxy-helper';

const end = process.argv.indexOf('--');
const [socket, ...directories] = process.argv.slice(2, end);
const [command, ...words] = process.argv.slice(end + 1);
const uid = process.env.EMULATOR_UID ?? process.getuid();

const shares = [];
const stopShares = () => Promise.all(shares.map((share) => share.stop()));
let status = 1;
try {
  for (const [index, path] of directories.entries()) {
    const listen = `unix:${socket}_${564 + index}`;
    // the guest may unmount, mount again and reboot
    const options = ['--keep-listening', `--uid=${uid}`, '--log-level=warn'];
    shares.push(await shareDirectory({ path, listen, options }));
  }
  const emulator = spawn(command, words, { stdio: 'inherit' });
  [status] = await once(emulator, 'exit');
} catch (error) {
  console.error(error.message);
}
await stopShares();
process.exitCode = status ?? 1;
