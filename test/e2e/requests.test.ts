import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Machine } from '../../harness/guest/qemu.js';
import { describeInGuest, plainMount } from './describe-in-guest.js';

/** QEMU's numbers of the requests. */
const numbers = {
  open: 2,
  create: 3,
  mknod: 4,
  mkdir: 5,
  symlink: 6,
  link: 7,
  lstat: 8,
  readlink: 9,
  statfs: 10,
  chmod: 11,
  chown: 12,
  truncate: 13,
  utime: 14,
  rename: 15,
  remove: 16,
  lgetxattr: 17,
  llistxattr: 18,
  lsetxattr: 19,
  lremovexattr: 20,
  getversion: 21,
};

/** The descriptor that QEMU inherits: the first after its standard streams. */
const connection = 3;

/** Which requests QEMU writes to its helper while the guest works. */
async function requestsDuring(machine: Machine, work: () => Promise<unknown>): Promise<Set<number>> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'virtfs-trace-'));
  const trace = path.join(directory, 'trace');
  const argv = ['-f', '-qq', '-e', 'trace=write', '-e', 'signal=none', '-xx', '-s', '4', '-o', trace];
  const strace = spawn('strace', [...argv, '-p', String(machine.qemuPid)], { stdio: 'ignore' });
  const ended = new Promise((resolve) => strace.once('close', resolve).once('error', resolve));
  try {
    const status = `/proc/${machine.qemuPid}/status`;
    for (let attempt = 0; /TracerPid:\s+0\n/.test(fs.readFileSync(status, 'utf8')); attempt++) {
      if (attempt === 100) throw new Error('strace did not attach to QEMU');
      await sleep(50);
    }
    await work();
    strace.kill('SIGINT');
    await ended;
    const writes = fs.readFileSync(trace, 'latin1').matchAll(/write\((\d+), "\\x(..)\\x00\\x00\\x00"/g);
    return new Set(
      [...writes]
        .filter(([, descriptor]) => Number(descriptor) === connection)
        .map(([, , number]) => Number.parseInt(number!, 16)),
    );
  } finally {
    strace.kill('SIGKILL');
    await ended;
    fs.rmSync(directory, { recursive: true });
  }
}

describeInGuest('requests', [{ tag: 'work', by: 'sock_fd', mount: plainMount }], (machine) => {
  it('come from the guest in every type there is', async () => {
    const seen = await requestsDuring(machine(), () =>
      machine().run(`
        cd /mnt/work; mkdir directory; cd directory; echo content >file; cat file; mknod null c 1 3; ln -s file link
        ln file second; stat link; readlink link; stat -f .; chmod 600 file; chown 1:1 file; truncate -s 3 file
        touch file; mv second third; rm third
        setfattr -n user.a -v b file; getfattr -d -m - file; setfattr -x user.a file`),
    );
    const missing = Object.entries(numbers).filter(([, number]) => !seen.has(number));
    expect(missing).toEqual([]);
  });
});
