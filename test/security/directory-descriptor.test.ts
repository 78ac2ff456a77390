/**
 * QEMU gets descriptors of directories, so whoever has taken it over can open what lies in them without asking the
 * helper, with QEMU's own rights. The guest's root may have made anything there.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { helperNode } from '../../harness/guest/helper.js';
import { sessionForTest } from '../../harness/helper-process.js';
import { asOrdinaryUser, ordinaryUser } from '../../harness/ordinary-user.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import type { WireClient } from '../../harness/wire-client.js';
import { skipUnlessRoot } from '../../harness/root-only.js';

const skip = skipUnlessRoot("attacks with a directory's descriptor");
const root = { uid: 0, gid: 0 };
const DEV_ZERO = 0x105;
const DEV_LOOP0 = 0x700;
const DENIED = 'Permission denied';
const READ_ONLY = 'Read-only file system';

/** What a process with no rights sees when it does something with the directory `d`, of which it has a descriptor: 3. */
function asEmulator(client: WireClient, command: string): { status: number | null; output: string } {
  const { errno, descriptor } = client.request(requests.open('/d', constants.O_DIRECTORY));
  expect(errno).toBe(0);
  onTestFinished(() => {
    closeSync(descriptor!);
  });
  const [program, ...args] = [...asOrdinaryUser, 'sh', '-c', command];
  const { status, stdout, stderr } = spawnSync(program, args, {
    stdio: ['ignore', 'pipe', 'pipe', descriptor],
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

function exportWithDirectory(): string {
  const path = exportForTest();
  chmodSync(path, 0o755);
  mkdirSync(join(path, 'd'));
  return path;
}

describe.skipIf(skip)("an emulator that was taken over, with a directory's descriptor", () => {
  it.each([
    ['character', constants.S_IFCHR, DEV_ZERO],
    ['block', constants.S_IFBLK, DEV_LOOP0],
  ])('opens no %s device that the guest made', (_kind, type, device) => {
    const { client } = sessionForTest(exportWithDirectory());
    expect(client.request(requests.mknod(root, '/d/device', type | 0o666, device)).errno).toBe(0);
    expect(client.request(requests.chmod('/d/device', 0o666)).errno).toBe(0);
    const { status, output } = asEmulator(client, 'head -c 1 /proc/self/fd/3/device');
    expect(output).toContain(DENIED);
    expect(status).not.toBe(0);
  });

  it('runs no program of the guest, so no set-uid one', () => {
    const path = exportWithDirectory();
    copyFileSync('/usr/bin/id', join(path, 'd/id'));
    const { client } = sessionForTest(path);
    expect(client.request(requests.chmod('/d/id', 0o4755)).errno).toBe(0);
    expect(statSync(join(path, 'd/id'))).toMatchObject({ uid: 0, mode: 0o104755 });
    const { output } = asEmulator(client, '/proc/self/fd/3/id -u; echo $?');
    expect(output).toContain(DENIED);
    expect(output).toMatch(/^126$/m);
  });

  it('goes no higher than the export', () => {
    const path = exportWithDirectory();
    const { client } = sessionForTest(path);
    const { output } = asEmulator(client, 'stat --format=%i /proc/self/fd/3/../../../../.');
    expect(output.trim()).toBe(String(statSync(path).ino));
  });

  it('writes nothing where the helper is --readonly, whatever the modes say', () => {
    const path = exportWithDirectory();
    const file = join(path, 'd/writable');
    writeFileSync(file, 'text');
    for (const name of ['d', 'd/writable']) chmodSync(join(path, name), 0o777);
    const attempts = ['echo lost >writable', 'echo new >new', 'rm writable', 'touch writable', 'chmod 0 .'];
    const command = attempts.map((attempt) => `(cd /proc/self/fd/3/. && ${attempt})`).join('; ');
    const { output } = asEmulator(sessionForTest(path, { args: ['--readonly'] }).client, command);
    expect(output.match(new RegExp(READ_ONLY, 'g')), output).toHaveLength(attempts.length);
    expect(readFileSync(file, 'utf8')).toBe('text');
    // without it the same is allowed, by the modes
    const { output: allowed } = asEmulator(sessionForTest(path).client, command);
    expect(allowed).not.toContain(READ_ONLY);
    expect(statSync(join(path, 'd/new')).uid).toBe(ordinaryUser.uid);
  });
});

describe.skipIf(skip)('the mount of the export', () => {
  it('is served without these limits before Linux 5.12, and the log says so', () => {
    const inject = ['-e', 'trace=mount_setattr', '-e', 'inject=mount_setattr:error=ENOSYS'];
    const wrapper = ['strace', '-f', '-qq', '-o', '/dev/null', ...inject];
    const { client, helper } = sessionForTest(exportForTest(), { wrapper, timeoutSeconds: 30 });
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    expect(helper.stderr()).toMatch(/^warn: .*nosuid, nodev and noexec.*ENOSYS/m);
  });

  it.each([
    ['our code', fileURLToPath(new URL('../../', import.meta.url))],
    ['Node', dirname(dirname(helperNode))],
    ['everything', '/'],
  ])('may hold %s, which were no programs to run any more', (_what, path) => {
    const { client, helper } = sessionForTest(path);
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    const mounts = readFileSync(`/proc/${helper.pid}/mounts`, 'utf8').split('\n');
    expect(mounts[0]).toMatch(/ \/ \S+ rw,nosuid,nodev,noexec,/);
    expect(helper.stderr()).not.toMatch(/^warn/m);
  });
});
