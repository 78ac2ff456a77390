/** File capabilities that a guest gives and its kernel obeys: on the host, and where they are only recorded. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeInGuest, plainMount } from './describe-in-guest.js';

const user = { uid: 1000, gid: 1000 };
/** Revision 2, effective: CAP_CHOWN. */
const value = '0x0100000201000000000000000000000000000000';

const models = {
  passthrough: ['--file-capabilities'],
  mapped: ['--security-model=mapped-xattr'],
  file: ['--security-model=mapped-file'],
};

describeInGuest(
  'file capabilities',
  Object.entries(models).map(([tag, helperOptions]) => ({ tag, helperOptions, mount: plainMount })),
  (machine) => {
    it.each(Object.keys(models))(
      'count in the guest, and go with a write or another owner: %s',
      async (tag) => {
        const run = (script: string): Promise<string> => machine().run(`cd /mnt/${tag}\n${script}`);
        await run('chmod 755 .; cp /bin/busybox chown; chmod 755 chown; >owned');
        const give = `setfattr -n security.capability -v ${value} chown`;
        const given = 'getfattr -d -m security -e hex chown 2>/dev/null | grep capability || true';
        const asUser = `cd /mnt/${tag}; ./chown 5 owned`;
        expect((await machine().attempt(asUser, { as: user })).stderr).toContain('not permitted');

        await run(give);
        expect(await run(given)).toBe(`security.capability=${value}`);
        await machine().run(asUser, { as: user });
        expect(await run('stat -c %u owned')).toBe('5');

        await run('printf x >>chown');
        expect(await run(given)).toBe('');
        await run(give);
        await run('/bin/chown 7 chown');
        expect(await run(given)).toBe('');
        await run(`${give}; mkdir d; mv chown d/; mv d/chown .`);
        expect(await run(given)).toBe(`security.capability=${value}`);
        const onHost = execFileSync('getfattr', ['-d', '-m', '^security', '-e', 'hex', 'chown'], {
          cwd: join(machine().share(tag).directory),
          encoding: 'utf8',
        });
        if (tag === 'passthrough') expect(onHost).toContain(value);
        else expect(onHost).toBe('');
        await run('rm -rf chown owned d');
      },
    );
  },
);
