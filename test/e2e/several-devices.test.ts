/** What a guest makes of an export in which two more file systems are mounted, whose inodes have the same numbers. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeInGuest } from './describe-in-guest.js';

const directory = path.join(os.tmpdir(), `several-devices-${process.pid}`);
const places = ['a', 'b'].map((name) => path.join(directory, name));
const skipReason = process.getuid?.() === 0 ? undefined : 'needs root';

const shares = [
  { tag: 'remapped', directory },
  { tag: 'raw', directory, helperOptions: ['--multidevs=warn'] },
];

/** Archives both, and tells what tar takes for links; then the contents, first of one and then of the other. */
const twice = `tar cf /tmp/t.tar a/file b/file; tar tvf /tmp/t.tar | grep -c ' -> ' || true; cat a/file b/file`;

describe.skipIf(skipReason !== undefined)('several devices', () => {
  beforeAll(() => {
    for (const place of places) {
      fs.mkdirSync(place, { recursive: true });
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', place]);
      fs.writeFileSync(path.join(place, 'file'), `${path.basename(place)}\n`);
      fs.linkSync(path.join(place, 'file'), path.join(place, 'link'));
    }
    const [first, second] = places.map((place) => fs.statSync(path.join(place, 'file')).ino);
    expect(first, 'no such case here').toBe(second);
  });

  afterAll(() => {
    for (const place of places) execFileSync('umount', ['--lazy', place]);
    fs.rmSync(directory, { recursive: true });
  });

  describeInGuest('in a guest', shares, (machine) => {
    const inMount = async (tag: string, options: string, script: string): Promise<string[]> => {
      await machine().mount(tag, `version=9p2000.L,${options}`);
      try {
        return (await machine().run(`cd /mnt/${tag}; ${script}`)).split('\n');
      } finally {
        await machine().unmount(tag);
      }
    };

    it.each(['cache=none', 'cache=loose', 'cache=mmap'])(
      'are files of their own to tar and to the cache, with %s',
      async (options) => {
        expect(await inMount('remapped', options, twice)).toEqual(['0', 'a', 'b']);
      },
    );

    it('would be one file to both', async () => {
      expect(await inMount('raw', 'cache=loose', twice)).toEqual(['1', 'a', 'a']);
    });

    it.each(['cache=none', 'cache=loose'])('keep links together, with %s', async (options) => {
      const script = `tar cf /tmp/t.tar a; tar tvf /tmp/t.tar | grep -c ' -> '; stat -c %i a/file a/link`;
      const [links, file, link] = await inMount('remapped', options, script);
      expect([links, file]).toEqual(['1', link]);
    });

    it.each(['cache=none', 'cache=loose'])(
      'show one number before, while and after a file is open, and when it is created, with %s',
      async (options) => {
        const script = `number() { stat -L -c %i "$1"; }
        number b/file; exec 3<b/file; number /proc/self/fd/3; number b/file; exec 3<&-; number b/file
        exec 3>b/new; number /proc/self/fd/3; number b/new; exec 3>&-; number b/new; rm b/new`;
        const numbers = await inMount('remapped', options, script);
        expect(numbers).toHaveLength(7);
        expect(new Set(numbers.slice(0, 4)).size, numbers.join()).toBe(1);
        expect(new Set(numbers.slice(4)).size, numbers.join()).toBe(1);
        expect(numbers.every((number) => BigInt(number) >= 1n << 52n)).toBe(true);
      },
    );

    it('are walked, copied and compared as any', async () => {
      const script = `find . -type f | sort | tr '\\n' ' '; echo; cp -a . /tmp/copy; cat /tmp/copy/a/file /tmp/copy/b/file
        (cd b && pwd -P)`;
      const [files, ...rest] = await inMount('remapped', 'cache=loose', script);
      expect(files).toBe('./a/file ./a/link ./b/file ./b/link ');
      expect(rest).toEqual(['a', 'b', '/mnt/remapped/b']);
    });
  });
});
