/** The guest's own 9P client: the same work on a mounted share as on a local file system. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { whyNoUml } from '../../harness/uml-guest.js';
import { mount, ours, share, startServer } from './guest-mounts.js';
import { type Feature, GuestComparison, type Variant } from './guest-work.js';
import { whyNoShare } from './share-under-test.js';

const skip = whyNoUml() ?? whyNoShare();
if (skip !== undefined) console.warn(`the guest of a 9P server skipped: ${skip}`);

const linux: readonly Feature[] = [
  ...(['links', 'owners', 'nodes', 'xattrs', 'locks'] as const),
  ...(['moves', 'special', 'space'] as const),
];
// the dialect has no count of links
const unix: readonly Feature[] = ['nodes', 'special'];

describe.skipIf(skip !== undefined)('a guest', { timeout: 240_000 }, () => {
  let comparison: GuestComparison;
  beforeAll(async () => {
    comparison = await GuestComparison.boot();
  }, 120_000);
  afterEach(() => comparison.stop());
  afterAll(() => comparison.guest.destroy());

  it.each<Variant>([
    { dialect: '9P2000.L', transport: 'unix', options: ['access=user', 'cache=none'], features: linux },
    {
      dialect: '9P2000.L',
      transport: 'tcp',
      options: ['access=client', 'cache=mmap'],
      features: [...linux, 'mmap'],
    },
    {
      dialect: '9P2000.L',
      transport: 'vsock',
      options: ['access=user', 'cache=mmap'],
      features: [...linux, 'mmap'],
    },
    { dialect: '9P2000.u', transport: 'unix', options: ['access=user', 'cache=none'], features: unix },
    { dialect: '9P2000.u', transport: 'tcp', options: ['access=user', 'cache=loose'], features: unix },
    { dialect: '9P2000', transport: 'unix', options: ['access=any', 'cache=none'], features: [] },
  ])('cannot tell a share from a local file system: $dialect $transport $options', async (variant) => {
    expect(await comparison.compare(ours, variant)).toEqual([]);
  });

  it.each(['mapped-xattr', 'mapped-file'])(
    'lists its own types with %s, and deletes no link as a file',
    async (model) => {
      const { guest } = comparison;
      const [exported, place] = ['/mnt/disk/mapped', '/mnt/share'];
      await guest.run(`rm -rf ${exported}; mkdir ${exported}`);
      await startServer(guest, share(`--security-model=${model}`), exported, 'unix');
      await mount(guest, place, 'unix', ['version=9p2000.L', 'access=user', 'cache=none']);
      const list = `find . -mindepth 1 -printf '%y %p\\n' | sort`;
      const seen = await guest.run(`cd ${place}
mkdir d; echo content >f; echo content >d/f; ln -s f link; ln -s nowhere d/dangling; mkfifo d/fifo; mknod d/null c 1 3
${list}; echo; find . -type f -delete; ${list}; echo; readlink link d/dangling; ls -A`);
      const others = ['c ./d/null', 'd ./d'];
      const links = ['l ./d/dangling', 'l ./link', 'p ./d/fifo'];
      expect(seen.split('\n')).toEqual([
        ...[...others, 'f ./d/f', 'f ./f', ...links, ''],
        ...[...others, ...links, ''],
        ...['f', 'nowhere', 'd', 'link'],
      ]);
      // on the host they are files
      expect(await guest.run(`find ${exported} -type l -o -type p -o -type c`)).toBe('');
    },
  );
});
