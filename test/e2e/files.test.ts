import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { agreed } from './both-sides.js';
import { describeInGuest, plainMount } from './describe-in-guest.js';

const user = { uid: 1000, gid: 1000 };

describeInGuest('files and directories', [{ tag: 'work', mount: plainMount }], (machine) => {
  const host = (name: string): string => path.join(machine().share('work').directory, name);
  const run = (script: string, as?: typeof user): Promise<string> =>
    machine().run(`cd /mnt/work; ${script}`, as === undefined ? {} : { as });
  const failure = async (script: string, as?: typeof user): Promise<string> => {
    const result = await machine().attempt(`cd /mnt/work; ${script}`, as === undefined ? {} : { as });
    expect(result.status, `must fail: ${script}`).not.toBe(0);
    return result.stderr;
  };

  it('shows the host a file that root of the guest created', async () => {
    await run('umask 027; echo from the guest >by-root');
    expect(fs.readFileSync(host('by-root'), 'utf8')).toBe('from the guest\n');
    expect(await agreed(machine(), 'work', 'by-root')).toMatchObject({
      mode: '100640',
      owner: '0:0',
      size: 15,
    });
  });

  it('shows the guest a file of the host, with owner, mode, blocks and times', async () => {
    fs.writeFileSync(host('by-host'), Buffer.alloc(70_000, 'x'));
    fs.chownSync(host('by-host'), 1234, 5678);
    fs.chmodSync(host('by-host'), 0o604);
    expect(await agreed(machine(), 'work', 'by-host')).toMatchObject({ mode: '100604', owner: '1234:5678' });
    expect(await run('wc -c <by-host')).toBe('70000');
  });

  it('gives what an ordinary user creates to this user', async () => {
    await run('mkdir -m 1777 open');
    await run(
      'cd open; umask 022; echo mine >file; mkdir directory; mkfifo fifo; ln -s file link; ln file second',
      user,
    );
    const expected = { file: '100644', directory: '40755', fifo: '10644', link: '120777' };
    for (const [name, mode] of Object.entries(expected)) {
      const found = await agreed(machine(), 'work', `open/${name}`);
      expect(found, name).toMatchObject({ mode, owner: '1000:1000' });
    }
  });

  it('keeps an ordinary user out of what belongs to root', async () => {
    await run('mkdir -m 755 roots; echo secret >roots/secret; chmod 600 roots/secret');
    expect(await failure('cat roots/secret', user)).toContain('Permission denied');
    expect(await failure('echo x >>roots/secret', user)).toContain('Permission denied');
    expect(await failure('rm -f roots/secret', user)).toContain('Permission denied');
    expect(await failure('chmod 666 roots/secret', user)).toContain('Operation not permitted');
    expect(await failure('chown 1000 roots/secret', user)).toContain('Operation not permitted');
    expect(await failure('mknod roots/null c 1 3', user)).toMatch(/denied|not permitted/);
    expect(fs.readFileSync(host('roots/secret'), 'utf8')).toBe('secret\n');
    expect(await agreed(machine(), 'work', 'roots/secret')).toMatchObject({ mode: '100600', owner: '0:0' });
  });

  it('makes and removes directories', async () => {
    await run('mkdir -p tree/a/b/c tree/d; chmod 750 tree/d; rmdir tree/a/b/c');
    expect(fs.readdirSync(host('tree'), { recursive: true }).sort()).toEqual(['a', 'a/b', 'd']);
    expect(await agreed(machine(), 'work', 'tree')).toMatchObject({ mode: '40755', links: 4 });
    expect(await agreed(machine(), 'work', 'tree/d')).toMatchObject({ mode: '40750', links: 2 });
    expect(await failure('rmdir tree')).toContain('not empty');
    expect(await failure('mkdir tree')).toContain('File exists');
    await run('rm -r tree');
    expect(fs.existsSync(host('tree'))).toBe(false);
  });

  it('makes fifos and device nodes that work in the guest', async () => {
    await run('umask 0; mknod -m 640 fifo p; mknod -m 666 zero c 1 5; mknod -m 600 disk b 253 17');
    expect(await agreed(machine(), 'work', 'fifo')).toMatchObject({ mode: '10640', device: '0:0' });
    expect(await agreed(machine(), 'work', 'zero')).toMatchObject({ mode: '20666', device: '1:5' });
    expect(await agreed(machine(), 'work', 'disk')).toMatchObject({ mode: '60600', device: '253:17' });
    expect(await run('echo through the fifo >fifo & cat fifo; wait')).toBe('through the fifo');
    expect(await run('head -c 3 zero | od -An -tx1')).toBe(' 00 00 00');
    await run('rm fifo zero disk');
    expect(fs.existsSync(host('zero'))).toBe(false);
  });

  it('follows and shows symbolic links, dangling ones and long ones too', async () => {
    const long = `${'long/'.repeat(200)}end`;
    await run(
      `echo target >target; ln -s target link; ln -s /no/such/file dangling; ln -s ${long} long; chown -h 7:8 link`,
    );
    expect(await run('cat link; readlink dangling; readlink long')).toBe(`target\n/no/such/file\n${long}`);
    expect(fs.readlinkSync(host('long'))).toBe(long);
    expect(await agreed(machine(), 'work', 'link')).toMatchObject({ mode: '120777', owner: '7:8', size: 6 });
    expect(await agreed(machine(), 'work', 'target')).toMatchObject({ owner: '0:0' });
    expect(await failure('cat dangling')).toContain('No such file');
    fs.symlinkSync('/etc/hostname', host('absolute'));
    expect(await run('readlink absolute')).toBe('/etc/hostname');
  });

  it('links files', async () => {
    await run('echo once >first; ln first second; ln first third; rm second');
    expect(await agreed(machine(), 'work', 'first')).toMatchObject({ links: 2 });
    expect(fs.lstatSync(host('third')).ino).toBe(fs.lstatSync(host('first')).ino);
    expect(await run('stat -c %i first third | uniq | wc -l')).toBe('1');
    await run('rm first; echo again >>third');
    expect(fs.readFileSync(host('third'), 'utf8')).toBe('once\nagain\n');
    expect(await agreed(machine(), 'work', 'third')).toMatchObject({ links: 1 });
  });

  it('renames files and directories, over existing ones and into others', async () => {
    await run('mkdir -p from/inner to; echo 1 >from/inner/one; echo 2 >from/two; echo 3 >to/three');
    await run('mv from/two to/three; mv from/inner to/moved; mv to/moved/one from');
    expect(fs.readdirSync(host('to'), { recursive: true }).sort()).toEqual(['moved', 'three']);
    expect(fs.readFileSync(host('to/three'), 'utf8')).toBe('2\n');
    expect(await run('cat from/one to/three; ls from')).toBe('1\n2\none');
    expect(await failure('mv -T to from')).toContain('not empty');
  });

  it('truncates, extends, appends, and writes in the middle', async () => {
    await run('printf 0123456789 >cut; truncate -s 4 cut; printf 45 >>cut; truncate -s 8 cut');
    expect(fs.readFileSync(host('cut'), 'latin1')).toBe('012345\0\0');
    await run('printf XY | dd of=cut bs=1 seek=2 conv=notrunc,fsync status=none');
    expect(fs.readFileSync(host('cut'), 'latin1')).toBe('01XY45\0\0');
    await run('truncate -s 5G cut');
    const sparse = await agreed(machine(), 'work', 'cut');
    expect(sparse.size).toBe(5 * 1024 ** 3);
    expect(sparse.blocks).toBeLessThan(100);
    await run('>cut');
    expect(await agreed(machine(), 'work', 'cut')).toMatchObject({ size: 0, blocks: 0 });
  });

  it('goes on reading and writing a file that is renamed or removed meanwhile', async () => {
    await run('echo kept >open-file; exec 4<>open-file; mv open-file moved-file; echo more >&4; exec 4>&-');
    expect(await run('exec 4<moved-file; rm moved-file; cat <&4')).toBe('more');
    expect(fs.existsSync(host('moved-file'))).toBe(false);
  });

  it('refuses to create what exists, and to use what is missing or of another kind', async () => {
    await run('echo here >existing');
    expect(await failure('set -C; echo x >existing')).toMatch(/exist/i);
    expect(await failure('cat missing')).toContain('No such file');
    expect(await failure('mkdir existing/below')).toContain('Not a directory');
    expect(await failure('rmdir existing')).toContain('Not a directory');
    expect(await failure('echo x >open')).toMatch(/directory/);
    expect(await failure('ln existing existing')).toContain('File exists');
    expect(fs.readFileSync(host('existing'), 'utf8')).toBe('here\n');
  });
});
