import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { agreed } from './both-sides.js';
import { describeInGuest, plainMount } from './describe-in-guest.js';

/**
 * What ends a share of the C helper: root of the guest creates with a group that is not root's, so the helper gives up
 * its ids in a way that costs it its capabilities. All of what follows then fails, first with EPERM.
 */
describeInGuest('a set-gid directory of another group', [{ tag: 'work', mount: plainMount }], (machine) => {
  const run = (script: string, as?: { uid: number; gid: number }): Promise<string> =>
    machine().run(`cd /mnt/work/shared; ${script}`, as === undefined ? {} : { as });

  it('serves root, then a chown of root, then an ordinary user', async () => {
    const shared = path.join(machine().share('work').directory, 'shared');
    fs.mkdirSync(shared);
    fs.chownSync(shared, 0, 50);
    fs.chmodSync(shared, 0o2777);

    await run('echo from root >of-root');
    expect(await agreed(machine(), 'work', 'shared/of-root')).toMatchObject({
      mode: '100644',
      owner: '0:50',
    });
    await run('chown 1234 of-root');
    expect(await agreed(machine(), 'work', 'shared/of-root')).toMatchObject({ owner: '1234:50' });
    await run('echo from a user >of-user', { uid: 1000, gid: 1000 });
    expect(await agreed(machine(), 'work', 'shared/of-user')).toMatchObject({
      mode: '100644',
      owner: '1000:50',
    });
  });

  it('does so for every kind of file, again and again', async () => {
    for (const round of [1, 2, 3]) {
      const create = `mkdir d${round}; mkfifo p${round}; ln -s d${round} l${round}; >f${round}`;
      await run(`${create}; chown -h 5:6 d${round} p${round} l${round} f${round}`);
      await run(create.replaceAll(String(round), `${round}u`), { uid: 1000, gid: 1000 });
      for (const kind of ['d', 'p', 'l', 'f']) {
        expect(await agreed(machine(), 'work', `shared/${kind}${round}`)).toMatchObject({ owner: '5:6' });
        const ofUser = await agreed(machine(), 'work', `shared/${kind}${round}u`);
        expect(ofUser).toMatchObject({ owner: '1000:50' });
      }
      // A directory made in a set-gid directory is one, too.
      expect(await agreed(machine(), 'work', `shared/d${round}u`)).toMatchObject({ mode: '42755' });
    }
  });
});
