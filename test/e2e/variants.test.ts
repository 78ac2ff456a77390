import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import type { Machine, RunOptions } from '../../harness/guest/qemu.js';
import { onHost } from './both-sides.js';
import { describeInGuest } from './describe-in-guest.js';

const lines = Array.from({ length: 40_000 }, (_, index) => `${index + 1}\n`).join('');
const linesDigest = createHash('sha256').update(lines).digest('hex');

const user = { uid: 1000, gid: 1000 };

/** The older protocol does not say with which group to create, so it stays the helper's. */
const ownerUnder = (mountOptions: string): string =>
  mountOptions.includes('9p2000.u') ? '1000:0' : '1000:1000';

/** Leaves the share as the next check needs it, when one has failed half way. */
async function leave(machine: Machine, tag: string): Promise<void> {
  await machine.run(`cd /; ! grep -q ' /mnt/${tag} ' /proc/mounts || umount -l /mnt/${tag}`);
  fs.rmSync(path.join(machine.share(tag).directory, 'made'), { recursive: true, force: true });
}

/** Linux 6.1's virtio transport takes no more, whatever is asked for. */
const largestMsize = 512_000;

/** Requires the guest to have mounted as asked, and not to have fallen back to something else. */
async function expectMounted(machine: Machine, tag: string, mountOptions: string): Promise<void> {
  const line = await machine.run(`grep ' /mnt/${tag} ' /proc/mounts`);
  const shown = line.split(' ')[3]!.split(',');
  const asked = mountOptions.split(',').map((option) => {
    const msize = /^msize=(\d+)$/.exec(option)?.[1];
    return msize === undefined ? option : `msize=${Math.min(Number(msize), largestMsize)}`;
  });
  // The kernel does not show its defaults, and a cache by its bare name.
  const wanted = asked
    .filter((option) => !['version=9p2000.L', 'cache=none'].includes(option))
    .map((option) => option.replace('cache=', ''));
  expect(shown).toEqual(expect.arrayContaining(wanted));
  const older = asked.includes('version=9p2000.u');
  expect(shown.some((option) => option.startsWith('version=') || option === 'noextend')).toBe(older);
}

async function workThrough(...work: Parameters<typeof workOnce>): Promise<void> {
  try {
    await workOnce(...work);
  } finally {
    await leave(work[0], work[1]);
  }
}

/** Creates some of everything, and shows it to the host once the guest has let go of the mount. */
async function workOnce(
  machine: Machine,
  tag: string,
  mountOptions: string,
  { as, owner = '0:0' }: RunOptions & { owner?: string } = {},
): Promise<void> {
  const options = as === undefined ? {} : { as };
  const exported = machine.share(tag).directory;
  fs.chmodSync(exported, 0o1777);
  await machine.mount(tag, mountOptions);
  await expectMounted(machine, tag, mountOptions);
  await machine.run(
    `cd /mnt/${tag}; umask 022
    mkdir made; cd made; echo content >file; ln file second; ln -s file link; mkfifo fifo
    mv file renamed; chmod 640 renamed; printf more >>renamed; truncate -s 9 renamed; rm second
    seq 40000 >lines; cp /bin/busybox .; [ "$(./busybox echo ran)" = ran ]; rm busybox`,
    options,
  );
  await machine.unmount(tag);

  const made = path.join(exported, 'made');
  expect(fs.readdirSync(made).sort()).toEqual(['fifo', 'lines', 'link', 'renamed']);
  expect(fs.readFileSync(path.join(made, 'renamed'), 'utf8')).toBe('content\nm');
  expect(
    createHash('sha256')
      .update(fs.readFileSync(path.join(made, 'lines')))
      .digest('hex'),
  ).toBe(linesDigest);
  expect(fs.readlinkSync(path.join(made, 'link'))).toBe('file');
  const modes = { '.': '40755', renamed: '100640', lines: '100644', link: '120777', fifo: '10644' };
  for (const [name, mode] of Object.entries(modes)) {
    expect(onHost(path.join(made, name)), name).toMatchObject({ mode, owner });
  }

  // Nothing of it comes from a cache of the guest now.
  await machine.mount(tag, mountOptions);
  const seen = await machine.run(
    `cd /mnt/${tag}/made; cat renamed; echo; sha256sum <lines; readlink link; cd ..; rm -r made`,
    options,
  );
  expect(seen).toBe(`content\nm\n${linesDigest}  -\nfile`);
  await machine.unmount(tag);
  expect(fs.readdirSync(exported)).toEqual([]);
}

describeInGuest('ways to mount', [{ tag: 'work' }], (machine) => {
  it.each([
    'version=9p2000.L',
    'version=9p2000.u',
    'version=9p2000.L,access=user',
    'version=9p2000.L,access=client',
    'version=9p2000.u,access=user',
    'version=9p2000.L,cache=none',
    'version=9p2000.L,cache=loose',
    'version=9p2000.L,cache=mmap',
    'version=9p2000.L,msize=8192',
    'version=9p2000.u,msize=8192',
    'version=9p2000.L,msize=65536,cache=mmap',
    'version=9p2000.L,msize=1048576',
    'version=9p2000.L,msize=1048576,cache=loose,access=client,posixacl',
  ])('%s', async (options) => {
    await workThrough(machine(), 'work', options);
    await workThrough(machine(), 'work', options, { as: user, owner: ownerUnder(options) });
  });

  // These attach without a user, so the creator stays the helper's; the newer protocol tells the group with each request.
  it.each([
    ['version=9p2000.L,access=1000', '0:1000'],
    ['version=9p2000.u,access=1000', '0:0'],
    ['version=9p2000.L,access=any', '0:1000'],
    ['version=9p2000.u,access=any', '0:0'],
  ])('%s', async (options, owner) => {
    const exported = machine().share('work').directory;
    fs.chmodSync(exported, 0o1777);
    try {
      await machine().mount('work', options);
      await expectMounted(machine(), 'work', options);
      const script =
        'cd /mnt/work; umask 0; mkdir made; echo content >made/file; cat made/file; rm /mnt/work/made/file';
      expect(await machine().run(script, { as: user })).toBe('content');
      expect(onHost(path.join(exported, 'made'))).toMatchObject({ mode: '40777', owner });
      const ofRoot = await machine().attempt('ls /mnt/work');
      if (options.endsWith('any')) {
        expect(ofRoot.stdout.toString()).toBe('made\n');
      } else {
        expect(ofRoot.stderr).toMatch(/denied|not permitted/);
      }
    } finally {
      await leave(machine(), 'work');
    }
    if (options.endsWith('any')) await workThrough(machine(), 'work', options);
  });

  it('version=9p2000, which QEMU does not speak: the mount fails, and the share stays usable', async () => {
    const refused = await machine().attempt(
      'mkdir -p /mnt/work; mount -t 9p -o trans=virtio,version=9p2000 work /mnt/work',
    );
    expect(refused.status).not.toBe(0);
    await workThrough(machine(), 'work', 'version=9p2000.L');
  });
});

describeInGuest(
  'ways to attach',
  [
    { tag: 'socket', by: 'socket' },
    { tag: 'descriptor', by: 'sock_fd' },
    { tag: 'short', option: '-virtfs', by: 'socket' },
    { tag: 'short-descriptor', option: '-virtfs', by: 'sock_fd' },
    { tag: 'immediate', words: ['writeout=immediate'] },
    { tag: 'locked', words: ['readonly=on'] },
  ],
  (machine) => {
    it.each([
      ['-fsdev proxy,socket=', 'socket'],
      ['-fsdev proxy,sock_fd=', 'descriptor'],
      ['-virtfs proxy,socket=', 'short'],
      ['-virtfs proxy,sock_fd=', 'short-descriptor'],
      ['-fsdev proxy,writeout=immediate', 'immediate'],
    ])('%s', async (_, tag) => {
      await workThrough(machine(), tag, 'version=9p2000.L,msize=262144');
    });

    it('-fsdev proxy,readonly=on: shows everything, changes nothing', async () => {
      const { directory } = machine().share('locked');
      fs.writeFileSync(path.join(directory, 'file'), 'unchanged');
      const before = [onHost(directory), onHost(path.join(directory, 'file'))];
      await machine().mount('locked');
      for (const change of [
        'echo x >>file',
        'echo x >new',
        'mkdir new',
        'ln -s file new',
        'ln file new',
        'mv file new',
        'chmod 777 file',
        'chown 1 file',
        'truncate -s 0 file',
        'touch file',
        'setfattr -n user.a -v b file',
        'mkfifo new',
        'rm -f file',
      ]) {
        const refused = await machine().attempt(`cd /mnt/locked; ${change}`);
        expect(refused.status, change).not.toBe(0);
        expect(refused.stderr, change).toContain('Read-only file system');
      }
      expect(await machine().run('cat /mnt/locked/file')).toBe('unchanged');
      const after = [onHost(directory), onHost(path.join(directory, 'file'))];
      // Reading is allowed, and moves the access times.
      expect(after.map((file) => ({ ...file, accessed: 0 }))).toEqual(
        before.map((file) => ({ ...file, accessed: 0 })),
      );
      expect(fs.readdirSync(directory)).toEqual(['file']);
    });
  },
);
