/** fs.suid_dumpable is one for the whole machine, so it is changed in a guest, where the helper runs from this machine's files. */
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { expect, it } from 'vitest';
import { describeInGuest } from '../e2e/describe-in-guest.js';
import { repositoryRoot } from '../../harness/guest/repository.js';
import { OURS } from '../../harness/helper-process.js';
import type { Seen } from './dumpable-program.js';

const program = buildSync({
  entryPoints: [fileURLToPath(new URL('dumpable-program.ts', import.meta.url))],
  bundle: true,
  platform: 'node',
  format: 'esm',
  external: ['koffi'],
  write: false,
}).outputFiles[0]!.text;

const host = {
  tag: 'host',
  directory: '/',
  helperOptions: ['--readonly'],
  mount: 'version=9p2000.L,msize=524288,cache=loose,ro',
};

describeInGuest('a helper on a machine that dumps programs with changed ids', [host], (machine) => {
  it('is as closed as before after it created with other ids, and leaves no core file', async () => {
    const script = `
      mount -t tmpfs tmp /mnt/host/mnt
      mount -t proc proc /mnt/host/proc
      mount -o bind /dev /mnt/host/dev
      cd /mnt/host
      chroot . sh -c 'cd ${repositoryRoot}; exec ${process.execPath} --input-type=module - ${OURS} /mnt /mnt/host/mnt' <<'PROGRAM'
${program}
PROGRAM
      umount /mnt/host/mnt /mnt/host/proc /mnt/host/dev`;
    const seen = JSON.parse(await machine().run(script, { timeout: 240_000 })) as Seen[];
    expect(seen.map(({ value, pattern }) => [value, pattern])).toEqual([
      [0, 'file'],
      [1, 'file'],
      [1, 'program'],
      [2, 'program'],
    ]);
    const closed = { created: 0, before: false, after: false, files: ['f'] };
    for (const found of seen) expect(found).toMatchObject(closed);
  }, 250_000);
});
