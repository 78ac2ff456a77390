import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { agreed } from './both-sides.js';
import { describeInGuest, plainMount } from './describe-in-guest.js';

const user = { uid: 1000, gid: 1000 };

describeInGuest('attributes', [{ tag: 'work', mount: `${plainMount},posixacl` }], (machine) => {
  const host = (name: string): string => path.join(machine().share('work').directory, name);
  const run = (script: string, as?: typeof user): Promise<string> =>
    machine().run(`cd /mnt/work; ${script}`, as === undefined ? {} : { as });
  const onHost = (program: string, ...argv: string[]): string =>
    execFileSync(program, argv, { cwd: host('.'), encoding: 'latin1' }).trimEnd();

  it('changes modes, set-id and sticky bits too', async () => {
    await run('>file; mkdir directory; chmod 4751 file; chmod 3770 directory');
    expect(await agreed(machine(), 'work', 'file')).toMatchObject({ mode: '104751' });
    expect(await agreed(machine(), 'work', 'directory')).toMatchObject({ mode: '43770' });
    await run('chmod 0 file directory');
    expect(await agreed(machine(), 'work', 'file')).toMatchObject({ mode: '100000' });
    expect(await agreed(machine(), 'work', 'directory')).toMatchObject({ mode: '40000' });
  });

  it('changes owner and group, each alone and both, up to the largest id', async () => {
    await run('>owned; chown 1000 owned; chgrp 50 owned');
    expect(await agreed(machine(), 'work', 'owned')).toMatchObject({ owner: '1000:50' });
    await run('chown 4294967294:4294967293 owned');
    expect(await agreed(machine(), 'work', 'owned')).toMatchObject({ owner: '4294967294:4294967293' });
    await run('chown 1000:1000 owned; chmod 6755 owned; chown 1001 owned');
    expect(await agreed(machine(), 'work', 'owned')).toMatchObject({ mode: '100755', owner: '1001:1000' });
  });

  it('lets an ordinary user give a file to another of the own groups, and to no one else', async () => {
    await run('>given; chown 1000:1000 given; chmod 755 .');
    const as = { ...user, groups: [1000, 2000] };
    await machine().run('cd /mnt/work; chgrp 2000 given', { as });
    expect(await agreed(machine(), 'work', 'given')).toMatchObject({ owner: '1000:2000' });
    const refused = await machine().attempt('cd /mnt/work; chgrp 3000 given', { as });
    expect(refused.stderr).toContain('Operation not permitted');
    expect(await agreed(machine(), 'work', 'given')).toMatchObject({ owner: '1000:2000' });
  });

  it('shows times of the host to the nanosecond', async () => {
    fs.writeFileSync(host('host-dated'), '');
    onHost('touch', '-d', '2001-02-03 04:05:06.123456789Z', 'host-dated');
    const { modified } = await agreed(machine(), 'work', 'host-dated');
    expect(modified).toBe(BigInt(Date.parse('2001-02-03T04:05:06Z')) * 1_000_000n + 123_456_789n);
    await run('echo written >>host-dated');
    expect((await agreed(machine(), 'work', 'host-dated')).modified).toBeGreaterThan(modified);
  });

  // Whole seconds since 1970: Linux 6.1's 9p client, which does not set s_time_gran and s_time_min, sends no others.
  it('sets times, after 2038 too', async () => {
    await run('>dated; mkdir dated-directory; ln -s nowhere dated-link');
    for (const date of ['2001-02-03T04:05:06Z', '2100-01-01T00:00:00Z']) {
      await run(`touch -h -d '${date}' dated dated-directory dated-link`);
      const moment = BigInt(Date.parse(date)) * 1_000_000n;
      for (const name of ['dated', 'dated-directory', 'dated-link']) {
        const found = await agreed(machine(), 'work', name);
        expect(found).toMatchObject({ accessed: moment, modified: moment });
      }
    }
  });

  it('sets the time of modification alone, and both to now', async () => {
    await run("touch -m -d '2010-10-10T10:10:10Z' dated");
    const moment = BigInt(Date.parse('2010-10-10T10:10:10Z')) * 1_000_000n;
    expect((await agreed(machine(), 'work', 'dated')).modified).toBe(moment);
    // The kernel's clock of file times lags behind by a tick.
    const before = BigInt(Date.now() - 20) * 1_000_000n;
    await run('touch dated');
    const { accessed, modified } = await agreed(machine(), 'work', 'dated');
    expect(modified).toBeGreaterThan(before);
    expect(accessed).toBeGreaterThan(before);
  });

  it('tells of the file system what the host tells', async () => {
    const [type, names, files, blockSize, blocks] = (await run("stat -f -c '%t %l %c %S %b' .")).split(' ');
    const expected = fs.statfsSync(host('.'), { bigint: true });
    expect(BigInt(`0x${type!}`)).toBe(expected.type);
    expect(names).toBe('255');
    expect(BigInt(files!)).toBe(expected.files);
    // QEMU counts in blocks of about msize.
    const size = BigInt(blockSize!) * BigInt(blocks!);
    const difference = Number(expected.blocks * expected.bsize - size);
    expect(Math.abs(difference)).toBeLessThanOrEqual(1024 * 1024);
  });

  it('stores, lists, replaces and removes extended attributes', async () => {
    await run(
      '>attributed; setfattr -n user.text -v hello attributed; setfattr -n user.bytes -v 0x00ff10 attributed',
    );
    const dump = ['-d', '-m', '-', '-e', 'hex', 'attributed'];
    const wanted = 'user.bytes=0x00ff10\nuser.text=0x68656c6c6f';
    expect(onHost('getfattr', ...dump)).toContain(wanted);
    expect(await run(`getfattr ${dump.join(' ')}`)).toBe(onHost('getfattr', ...dump));

    await run('setfattr -n user.text -v other attributed; setfattr -x user.bytes attributed');
    expect(await run(`getfattr ${dump.join(' ')}`)).toBe(onHost('getfattr', ...dump));
    expect(onHost('getfattr', ...dump)).toContain('user.text=0x6f74686572');
    expect(onHost('getfattr', ...dump)).not.toContain('user.bytes');
    const missing = await machine().attempt('getfattr -n user.bytes /mnt/work/attributed');
    expect(missing.stderr).toContain('No such attribute');
  });

  it('refuses the attributes that take more capabilities than the helper has', async () => {
    await run('>refusing');
    const capability = '0x0100000200040000000000000000000000000000';
    for (const attribute of [`security.capability -v ${capability}`, 'trusted.own -v root']) {
      const refused = await machine().attempt(`cd /mnt/work; setfattr -n ${attribute} refusing`);
      expect(refused.stderr, attribute).toContain('Operation not permitted');
    }
    expect(onHost('getfattr', '-d', '-m', '-', 'refusing')).toBe('');
  });

  it('shows extended attributes that the host set, of directories and of some size', async () => {
    fs.mkdirSync(host('attributed-directory'));
    const value = 'v'.repeat(3000);
    onHost('setfattr', '-n', 'user.large', '-v', value, 'attributed-directory');
    expect(await run('getfattr --only-values -n user.large attributed-directory')).toBe(value);
  });

  it('lets an ordinary user set attributes of own files only', async () => {
    await run('mkdir -m 777 users; >users/of-root; chmod 644 users/of-root');
    await run('>users/own; setfattr -n user.mine -v yes users/own', user);
    expect(onHost('getfattr', '--only-values', '-n', 'user.mine', 'users/own')).toBe('yes');
    const refused = await machine().attempt('setfattr -n user.mine -v no /mnt/work/users/of-root', {
      as: user,
    });
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toMatch(/denied|not permitted/);
  });

  it('keeps POSIX ACLs on both sides the same', async () => {
    await run('>acl; chmod 640 acl; setfacl -m u:1000:rw,g:50:r acl');
    const wanted = ['user::rw-', 'user:1000:rw-', 'group::r--', 'group:50:r--', 'mask::rw-', 'other::---'];
    expect(onHost('getfacl', '-nc', 'acl').split('\n')).toEqual(wanted);
    expect(await run('getfacl -nc acl')).toBe(wanted.join('\n'));
    expect(await agreed(machine(), 'work', 'acl')).toMatchObject({ mode: '100660' });

    onHost('setfacl', '-m', 'u:1001:r,m:r', 'acl');
    expect(await run('getfacl -ncE acl')).toBe(onHost('getfacl', '-ncE', 'acl'));
    await run('setfacl -b acl');
    expect(onHost('getfacl', '-nc', 'acl').split('\n')).toEqual(['user::rw-', 'group::r--', 'other::---']);
  });

  it('enforces POSIX ACLs in the guest', async () => {
    await run('echo for some >guarded; chmod 600 guarded; setfacl -m u:1000:r guarded');
    expect(await run('cat guarded', user)).toBe('for some');
    const stranger = { uid: 1001, gid: 1001 };
    const refused = await machine().attempt('cat /mnt/work/guarded', { as: stranger });
    expect(refused.stderr).toContain('Permission denied');
    const write = await machine().attempt('echo x >>/mnt/work/guarded', { as: user });
    expect(write.stderr).toContain('Permission denied');
  });

  it('hands the default ACL of a directory on to what is created in it', async () => {
    await run('mkdir heir; setfacl -m d:u:1000:rwx,d:g::rx,d:o::- heir; >heir/file; mkdir heir/directory');
    const file = onHost('getfacl', '-nc', 'heir/file');
    expect(file).toContain('user:1000:rwx');
    expect(file).toContain('other::---');
    expect(await run('getfacl -nc heir/file')).toBe(file);
    const directory = onHost('getfacl', '-nc', 'heir/directory');
    expect(directory).toContain('default:user:1000:rwx');
    expect(await run('getfacl -nc heir/directory')).toBe(directory);
  });
});
