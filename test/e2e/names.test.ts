import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { onHost } from './both-sides.js';
import { describeInGuest, plainMount } from './describe-in-guest.js';

describeInGuest('names', [{ tag: 'work', mount: plainMount }], (machine) => {
  const directory = (): string => machine().share('work').directory;
  const run = (script: string): Promise<string> => machine().run(`cd /mnt/work; ${script}`);
  const inDirectory = (name: Buffer): Buffer => Buffer.concat([Buffer.from(`${directory()}/`), name]);

  it('takes names that are no text', async () => {
    const name = Buffer.from([0xff, 0xfe]);
    await run(`n=$(printf '\\377\\376'); echo bytes >"$n"; mkdir "$n.d"; ln -s "$n" "$n.l"; mv "$n" "$n$n"`);
    const names = fs.readdirSync(directory(), { encoding: 'buffer' }).map((entry) => entry.toString('hex'));
    expect(names.sort()).toEqual(['fffe2e64', 'fffe2e6c', 'fffefffe']);
    expect(fs.readFileSync(inDirectory(Buffer.concat([name, name])), 'utf8')).toBe('bytes\n');
    const target = fs.readlinkSync(inDirectory(Buffer.from('fffe2e6c', 'hex')), { encoding: 'buffer' });
    expect(target.toString('hex')).toBe('fffe');

    fs.writeFileSync(inDirectory(Buffer.from([0x80, 0x0a, 0xc3])), 'from the host');
    expect(await run(`cat "$(printf '\\200\\012\\303')"`)).toBe('from the host');
    await run(`rm -r *`);
    expect(fs.readdirSync(directory())).toEqual([]);
  });

  it('takes extended attribute names and values that are no text', async () => {
    await run(`>f; setfattr -n "user.$(printf '\\377')" -v 0xfffe00 f`);
    const argv = ['-d', '-m', '-', '-e', 'hex', 'f'];
    const seen = execFileSync('getfattr', argv, { cwd: directory(), encoding: 'latin1' }).trimEnd();
    expect(seen).toContain('=0xfffe00');
    expect(await run(`getfattr ${argv.join(' ')}`)).toBe(seen);
  });

  it('takes names of 255 bytes, and refuses 256', async () => {
    const name = 'n'.repeat(255);
    await run(`echo long >${name}`);
    expect(fs.readFileSync(path.join(directory(), name), 'utf8')).toBe('long\n');
    const refused = await machine().attempt(`echo x >/mnt/work/${name}n`);
    expect(refused.stderr).toMatch(/too long/);
  });

  it('takes a symbolic link as long as the host can hold', async () => {
    const target = `/${'t'.repeat(254)}`.repeat(16).slice(0, 4095);
    fs.symlinkSync(target, path.join(directory(), 'from-host'));
    await run(`ln -s ${target} from-guest`);
    expect(fs.readlinkSync(path.join(directory(), 'from-guest'))).toBe(target);
    expect(await run('readlink from-host')).toBe(target);
    expect(await run('readlink from-guest')).toBe(target);
  });

  it('works in directories deeper than PATH_MAX', async () => {
    const depth = 24;
    const level = 'd'.repeat(250);
    const descend = `cd /mnt/work; for i in $(seq ${depth}); do mkdir -p ${level}; cd -P ${level}; done`;
    const below = (script: string): Promise<string> => machine().run(`${descend}; ${script}`);

    await below(`
      mkdir made; echo deep >file; ln file made/second; ln -s file link; mkfifo made/fifo; mknod made/null c 1 3
      chmod 640 file; chown 7:8 file; truncate -s 3 file; TZ=UTC touch -d '2001-02-03 04:05:06' file
      setfattr -n user.depth -v great file; mv file renamed`);
    const view = await below("cat renamed; echo; readlink link; stat -c '%a %u:%g %h %s %.9Y' renamed");
    expect(view.split('\n')).toEqual(['dee', 'file', '640 7:8 2 3 981173106.000000000']);
    expect(await below('getfattr --only-values -n user.depth renamed; ls made')).toBe(
      'greatfifo\nnull\nsecond',
    );
    expect(await below('stat -f -c %l .')).toBe('255');

    // The host reaches it only by steps, too.
    const found = execFileSync(
      'find',
      [directory(), '-mindepth', String(depth + 1), '-printf', '%f %m %U:%G %s\n'],
      {
        encoding: 'utf8',
      },
    );
    expect(found).toContain('renamed 640 7:8 3\n');
    expect(found).toContain('second 640 7:8 3\n');

    await below('rm -r made renamed link; [ -z "$(ls -A)" ]');
    await run(`rm -r ${level}`);
    expect(() => onHost(path.join(directory(), level))).toThrow('ENOENT');
  });
});
