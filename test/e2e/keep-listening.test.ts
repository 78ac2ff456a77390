/** QEMU removes the socket's name after it connected, where it may: the place of the socket decides (docs/operations.md). */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { helperForTest, whyNoReference } from '../../harness/helper-process.js';
import { exportForTest } from '../../harness/tree.js';

const skipped = whyNoReference();
if (skipped !== undefined) console.warn(`the listener with QEMU skipped: ${skipped}`);
const USER = '1000';

async function until(what: string, condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 20_000; !condition();) {
    if (Date.now() > end) throw new Error(`not in 20 seconds: ${what}`);
    await wait(20);
  }
}

/** A machine without a guest, which connects when its devices are made. */
function machine(path: string): { stop: () => Promise<unknown> } {
  const qemu = spawn(
    'setpriv',
    [
      ...[`--reuid=${USER}`, `--regid=${USER}`, '--clear-groups', 'qemu-system-x86_64'],
      ...['-S', '-display', 'none', '-m', '64', '-monitor', 'none', '-serial', 'none'],
      ...['-fsdev', `proxy,id=fs0,socket=${path}`, '-device', 'virtio-9p-pci,fsdev=fs0,mount_tag=share'],
    ],
    { stdio: 'ignore' },
  );
  const gone = new Promise((resolve) => qemu.once('exit', resolve));
  const stop = async (): Promise<unknown> => {
    qemu.kill('SIGKILL');
    return gone;
  };
  onTestFinished(async () => {
    await stop();
  });
  return { stop };
}

describe.skipIf(skipped !== undefined)('a listener and QEMU as an ordinary user', () => {
  it.each([
    ['root alone may write: machine after machine is served', 0o755, true],
    ['it may write: QEMU removes the socket, and the listener ends with the machine', 0o777, false],
  ])('in a directory where %s', async (_what, mode, stays) => {
    const directory = exportForTest();
    chmodSync(directory, mode);
    const path = join(directory, 'socket');
    const helper = helperForTest(['-n', '-p', exportForTest(), '-s', path, '-u', USER, '--keep-listening']);
    await until('the socket', () => existsSync(path));
    const first = machine(path);
    await until('the first machine', () => helper.stderr().includes('serving a client (client=1'));
    await first.stop();
    await until('its end', () => helper.stderr().includes('the client has left (client=1'));
    expect(existsSync(path)).toBe(stays);
    if (stays) {
      machine(path);
      await until('the second machine', () => helper.stderr().includes('serving a client (client=2'));
    } else {
      expect((await helper.exit()).status).toBe(1);
    }
  });
});
