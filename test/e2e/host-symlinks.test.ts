/** Symbolic links that the host made, in a mapped model with --host-symlinks: followed by the guest, in its own tree. */
import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { describeInGuest, plainMount } from './describe-in-guest.js';

const models = ['mapped-xattr', 'mapped-file'];

describeInGuest(
  "the host's symbolic links",
  models.map((tag) => ({
    tag,
    helperOptions: ['--security-model', tag, '--host-symlinks'],
    mount: plainMount,
  })),
  (machine) => {
    it.each(models)('are followed by the guest alone, in %s', async (tag) => {
      const { directory } = machine().share(tag);
      fs.mkdirSync(path.join(directory, 'tree'));
      fs.writeFileSync(path.join(directory, 'tree/file'), 'of the host');
      fs.symlinkSync('tree', path.join(directory, 'link'));
      fs.symlinkSync('link/file', path.join(directory, 'twice'));
      fs.symlinkSync('/tmp/of-the-guest', path.join(directory, 'absolute'));
      const run = (script: string): Promise<string> => machine().run(`cd /mnt/${tag}; ${script}`);
      expect(await run('cat link/file twice; readlink absolute; ls -l absolute | cut -c 1')).toBe(
        'of the hostof the host/tmp/of-the-guest\nl',
      );
      await run('echo here >absolute; echo there >link/new');
      expect(await run('cat /tmp/of-the-guest; rm /tmp/of-the-guest')).toBe('here');
      expect(fs.existsSync('/tmp/of-the-guest')).toBe(false);
      expect(fs.readFileSync(path.join(directory, 'tree/new'), 'utf8')).toBe('there\n');
      await run('ln -s tree own; rm link; cat own/file');
      expect(fs.lstatSync(path.join(directory, 'own')).isFile()).toBe(true);
    });
  },
);
