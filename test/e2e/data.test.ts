import { createHash, randomFillSync } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { onHost } from './both-sides.js';
import { describeInGuest, plainMount } from './describe-in-guest.js';

const sha256 = (content: Buffer | string): string => createHash('sha256').update(content).digest('hex');

describeInGuest('amounts', [{ tag: 'work', mount: plainMount }], (machine) => {
  const host = (name: string): string => path.join(machine().share('work').directory, name);
  const run = (script: string): Promise<string> => machine().run(`cd /mnt/work; ${script}`);

  it(
    'carries 64 MiB in both directions unchanged, the way back for an ordinary user',
    { timeout: 90_000 },
    async () => {
      const content = randomFillSync(Buffer.alloc(64 * 1024 * 1024));
      fs.writeFileSync(host('data'), content);
      const expected = sha256(content);
      expect(await run('sha256sum <data')).toBe(`${expected}  -`);
      await run('mkdir -m 777 users');
      await machine().run('cd /mnt/work; dd if=data of=users/copy bs=1M conv=fsync status=none', {
        as: { uid: 1000, gid: 1000 },
      });
      expect(onHost(host('users/copy'))).toMatchObject({ owner: '1000:1000', size: content.length });
      const copy = fs.readFileSync(host('users/copy'));
      expect(copy).toHaveLength(content.length);
      expect(sha256(copy)).toBe(expected);
      await run('rm -r data users');
    },
  );

  it('lists 5,000 entries of the host completely', { timeout: 90_000 }, async () => {
    fs.mkdirSync(host('many'));
    const names = Array.from({ length: 5000 }, (_, index) => `entry-${index}-${'x'.repeat(index % 200)}`);
    for (const name of names) fs.writeFileSync(host(`many/${name}`), '');
    expect(await run('ls many | LC_ALL=C sort | sha256sum')).toBe(
      `${sha256(
        names
          .toSorted()
          .map((name) => `${name}\n`)
          .join(''),
      )}  -`,
    );
    fs.rmSync(host('many'), { recursive: true });
  });

  it('creates 1,000 entries and shows them to the host', { timeout: 90_000 }, async () => {
    await run('mkdir made; cd made; for i in $(seq 1000); do >$i; done');
    const names = fs.readdirSync(host('made'));
    expect(names.map(Number).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 1000 }, (_, i) => i + 1),
    );
    expect(await run('ls made | wc -l')).toBe('1000');
    await run('rm -r made');
  });
});
