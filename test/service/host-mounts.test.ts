/** What the host mounts and unmounts in an export while it is served. */
import { closeSync, existsSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { sessionForTest, whyNotRoot } from '../../harness/helper-process.js';
import { countAt, followerOf, optionsOf, PATIENCE, seen, serve, until } from '../../harness/mounting-host.js';
import { pythonForTest } from '../../harness/python-program.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';

const skipped = whyNotRoot();
const suffix = skipped === undefined ? '' : ` (${skipped})`;
const ENOENT = 2;
const EXDEV = 18;
const root = { uid: 0, gid: 0 };
const FLAGS = ['nosuid', 'nodev', 'noexec'];

describe.skipIf(skipped !== undefined)(`a disk that the host mounts in the export later${suffix}`, () => {
  it('is seen, takes what the guest makes, and can be unmounted while a file of it is open', async () => {
    const { client, host, directory } = await serve();
    host.run(`mount -t tmpfs disk ${directory}/disk; echo text >${directory}/disk/of-host`);
    await until(client, '/disk/of-host', 0);
    const created = client.request(requests.create('/disk/of-guest', 0x42, 0o644, root));
    expect(created.errno).toBe(0);
    writeSync(created.descriptor!, 'guest');
    expect(host.run(`cat ${directory}/disk/of-guest`)).toBe('guest');
    expect(client.request(requests.rename('/disk/of-guest', '/there')).errno).toBe(EXDEV);

    host.run(`umount ${directory}/disk`);
    await until(client, '/disk/of-host', ENOENT);
    expect(client.request(requests.mkdir(root, '/disk/below', 0o755)).errno).toBe(0);
    expect(existsSync(join(directory, 'disk/below'))).toBe(true);
    closeSync(created.descriptor!);
  });

  it('has inode numbers of its own', async () => {
    const { client, host, directory } = await serve();
    const mount = (name: string): string =>
      `mount -t tmpfs disk ${directory}/${name}; touch ${directory}/${name}/file`;
    const inode = (path: string): bigint => client.request(requests.lstat(path)).payload.readBigUInt64LE(8);
    const onHost = host.run(
      `${mount('disk')}; ${mount('other')}; cd ${directory}; stat -c %i disk/file other/file`,
    );
    expect(new Set(onHost.split('\n')).size, 'no such case here').toBe(1);
    for (const path of ['/disk/file', '/other/file']) await until(client, path, 0);
    expect(new Set(['/disk', '/other', '/disk/file', '/other/file'].map(inode)).size).toBe(4);
  });

  it('has the limits of the export from the first moment, whatever the host allows there', async () => {
    const served = await serve();
    const { client, host, directory } = served;
    // what a moment without them would be long enough for
    const script = `mount -t tmpfs -o dev,suid,exec disk ${directory}/disk; touch ${directory}/disk/there`;
    for (let round = 0; round < 5; round++) {
      host.run(script);
      while (seen(client, '/disk/there') !== 0);
      expect(optionsOf(served, '/disk')).toEqual(expect.arrayContaining(FLAGS));
      host.run(`umount ${directory}/disk`);
      await until(client, '/disk/there', ENOENT);
    }
    expect(optionsOf(served, '/disk')).toEqual([]);
  });

  it('is read-only where the export is', async () => {
    const served = await serve(['--readonly']);
    const { client, host, directory } = served;
    host.run(`mount -t tmpfs disk ${directory}/disk; touch ${directory}/disk/there`);
    await until(client, '/disk/there', 0);
    expect(optionsOf(served, '/disk')).toEqual(expect.arrayContaining(['ro', ...FLAGS]));
  });

  it('may be a tree of mounts, one upon another, with any names', async () => {
    const { client, host, directory } = await serve();
    host.run(`
      cd ${directory}; mkdir 'ä b'; mount -t tmpfs one 'ä b'; mkdir 'ä b/\\c'; mount -t tmpfs two 'ä b/\\c'; touch 'ä b/\\c/two'
      mount -t tmpfs first disk; touch disk/first; mount -t tmpfs second disk; touch disk/second
      echo text >file; touch other/mounted; mount --bind file other/mounted`);
    await until(client, '/ä b/\\c/two', 0);
    await until(client, '/disk/second', 0);
    await vi.waitFor(() => {
      expect(client.request(requests.lstat('/other/mounted')).payload.readBigUInt64LE(44)).toBe(5n);
    }, PATIENCE);
    expect(seen(client, '/disk/first')).toBe(ENOENT);
    host.run(`umount ${directory}/disk; umount -R '${directory}/ä b'; umount ${directory}/other/mounted`);
    await until(client, '/disk/first', 0);
    await until(client, '/ä b/\\c', ENOENT);
  });

  it('is not seen with --host-mounts ignore, and no other process is there', async () => {
    const { client, helper, host, directory } = await serve(['--host-mounts', 'ignore']);
    host.run(`mount -t tmpfs disk ${directory}/disk; touch ${directory}/disk/there`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(seen(client, '/disk/there')).toBe(ENOENT);
    expect(followerOf(helper.pid)).toBeUndefined();
  });
});

describe.skipIf(skipped !== undefined)(`what the host does otherwise${suffix}`, () => {
  it('unmounts a disk that was there at the start', async () => {
    const before = 'mount -t tmpfs disk disk; touch disk/there';
    const { client, host, directory } = await serve([], before);
    expect(seen(client, '/disk/there')).toBe(0);
    host.run(`umount ${directory}/disk`);
    await until(client, '/disk/there', ENOENT);
  });

  it('unmounts two disks that lay one upon the other at the start', async () => {
    const before = 'mount -t tmpfs lower disk; touch disk/lower; mount -t tmpfs upper disk; touch disk/upper';
    const served = await serve([], before);
    const { client, host, directory } = served;
    expect(seen(client, '/disk/upper')).toBe(0);
    host.run(`umount ${directory}/disk`);
    await until(client, '/disk/lower', 0);
    host.run(`umount ${directory}/disk`);
    await until(client, '/disk/lower', ENOENT);
    expect(countAt(served, '/disk')).toBe(0);
  });

  it('mounts and unmounts while the helper starts', async () => {
    for (let delay = 0; delay < 600; delay += 60) {
      // a start holds each mount for a moment: EBUSY
      const before = `mount -t tmpfs gone disk; mkdir third; mount -t tmpfs gone third; mount -t tmpfs upon third
        gone() { until umount $1; do sleep 0.01; done; }
        (sleep ${delay / 1000}; gone disk; gone third; gone third; mount -t tmpfs new other; touch other/there) >&- 2>&- &`;
      const served = await serve([], before);
      const counts = (): number[] => ['/disk', '/third', '/other'].map((path) => countAt(served, path));
      const become = (...expected: number[]): Promise<void> =>
        vi.waitFor(() => {
          expect([delay, ...counts()]).toEqual([delay, ...expected]);
        }, PATIENCE);
      await become(0, 0, 1);
      await until(served.client, '/other/there', 0);
      served.host.run(`umount ${served.directory}/other`);
      await become(0, 0, 0);
    }
  });

  it('mounts a procfs or another window into the kernel: it is not seen, nor what lies in it', async () => {
    const { client, helper, host, directory } = await serve();
    host.run(`
      cd ${directory}; mount -t proc proc other; mount -t tmpfs inside other/sys/fs; touch other/sys/fs/inside
      mkdir sys ram; mount -t sysfs sys sys; mount -t mqueue new ram; mount -t tmpfs disk disk; touch disk/there`);
    // mounted last, so all others had their turn
    await until(client, '/disk/there', 0);
    for (const path of ['/other/self', '/other/sys/fs', '/sys/kernel']) {
      expect([path, seen(client, path)]).toEqual([path, ENOENT]);
    }
    const told = helper.stderr().match(/is not followed .*/g);
    const line = (path: string, type: string): string => `is not followed (path=/${path}, type=${type})`;
    expect(told).toEqual([line('other', 'proc'), line('sys', 'sysfs'), line('ram', 'mqueue')]);
  });

  it('mounts where the guest then renames a directory: the mount goes with it, and can be unmounted', async () => {
    const { client, host, directory } = await serve([], 'mkdir d d/e');
    host.run(`mount -t tmpfs disk ${directory}/d/e; touch ${directory}/d/e/there`);
    await until(client, '/d/e/there', 0);
    expect(client.request(requests.rename('/d', '/moved')).errno).toBe(0);
    expect(client.request(requests.symlink(root, 'other', '/d')).errno).toBe(0);
    expect(client.request(requests.mkdir(root, '/other/e', 0o755)).errno).toBe(0);
    expect(seen(client, '/moved/e/there')).toBe(0);
    host.run(`umount ${directory}/moved/e`);
    await until(client, '/moved/e/there', ENOENT);
  });
});

describe.skipIf(skipped !== undefined)(`the process that follows the host's mounts${suffix}`, () => {
  it('has three capabilities and no descriptor of the client, and ends with the helper', async () => {
    const { helper } = await serve();
    // the helper has answered a request: nothing is served before its mounts are followed
    const follower = followerOf(helper.pid);
    expect(follower).toBeDefined();
    const status = readFileSync(`/proc/${follower}/status`, 'utf8');
    // CAP_DAC_OVERRIDE, CAP_SYS_CHROOT, CAP_SYS_ADMIN
    expect(/^CapPrm:\s*(\w+)/m.exec(status)?.[1]).toBe('0000000000240002');
    expect(/^NoNewPrivs:\s*(\d)/m.exec(status)?.[1]).toBe('1');
    for (const standard of [0, 1])
      expect(statSync(`/proc/${follower}/fd/${standard}`).rdev).toBe(statSync('/dev/null').rdev);
    await helper.stop();
    await vi.waitFor(() => {
      expect(existsSync(`/proc/${follower}`)).toBe(false);
    }, PATIENCE);
  });

  it('ends with the helper, whoever else has what the helper had open', async () => {
    const { helper } = await serve();
    const follower = followerOf(helper.pid);
    expect(follower).toBeDefined();
    // as a helper that was taken over could give it all to QEMU
    const taken = await pythonForTest(
      [],
      `
import ctypes
call = ctypes.CDLL(None, use_errno=True).syscall
process = call(434, int(sys.argv[1]), 0)
got = [call(438, process, int(number), 0) for number in os.listdir(f"/proc/{sys.argv[1]}/fd")]
assert min(got) >= 0, got`,
      String(helper.pid),
    );
    await helper.stop();
    await vi.waitFor(() => {
      expect(existsSync(`/proc/${follower}`)).toBe(false);
    }, PATIENCE);
    expect(taken.exitCode).toBeNull();
  });

  it('exchanges for another at once: the new one is seen, though the kernel may give it the id of the old', async () => {
    const { client, host, directory } = await serve([], 'mount -t tmpfs first disk');
    for (let round = 0; round < 20; round++) {
      host.run(`cd ${directory}; umount disk && mount -t tmpfs next disk && touch disk/${round}`);
      await until(client, `/disk/${round}`, 0);
    }
  });

  it('says so where the namespace of the host may not be entered, and serves', () => {
    const wrapper = [
      'strace',
      '-f',
      '-o',
      '/dev/null',
      '-e',
      'trace=setns',
      '-e',
      'inject=setns:error=EPERM',
    ];
    const { client, helper } = sessionForTest(exportForTest(), { wrapper, args: ['--seccomp', 'none'] });
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    expect(helper.stderr()).toContain('mounts in the export are not followed');
  });
});
