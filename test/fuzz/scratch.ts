/** The tree that a fuzzed helper exports, the same at the beginning of every epoch. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mknod, setXattr } from '../../harness/libc.js';

const FIFO = 0o010644;
const SOCKET = 0o140644;
const CHARACTER_DEVICE = 0o020666;
/** makedev(1, 3): /dev/null, which nobody opens here. */
const NULL_DEVICE = 0x103;

const directories = ['d', 'd/sub', 'd/sub/deep', 'e', 'sticky'] as const;
const files = ['f', 'd/f', 'd/sub/f', 'd/sub/deep/f', 'e/f', 'x y', `n${'a'.repeat(254)}`] as const;
const links: Readonly<Record<string, string>> = {
  inside: 'd/sub',
  outside: '../outside',
  loop: 'loop',
  long: 'l'.repeat(4_000),
  dangling: 'nowhere',
};

export const scratchPaths: readonly string[] = [
  '/',
  ...[
    ...directories,
    ...files,
    ...Object.keys(links),
    'fifo',
    'socket',
    'device',
    'inside/f',
    'outside/f',
  ].map((name) => `/${name}`),
];

/** Empties the directory, which stays the same one, and fills it anew. */
export function fillScratch(root: string): void {
  const old = readdirSync(Buffer.from(root), { encoding: 'buffer' });
  // by rm: the client makes names of any bytes and depth
  if (old.length > 0) execFileSync('find', [root, '-mindepth', '1', '-delete']);
  for (const name of directories) mkdirSync(join(root, name));
  for (const name of files) writeFileSync(join(root, name), 'inside');
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(root, name));
  const at = (name: string): Buffer => Buffer.from(join(root, name));
  mknod(at('fifo'), FIFO, 0);
  mknod(at('socket'), SOCKET, 0);
  mknod(at('device'), CHARACTER_DEVICE, NULL_DEVICE);
  setXattr(at('f'), Buffer.from('user.a'), Buffer.from('value of a'));
  setXattr(at('d/f'), Buffer.from('user.b'), Buffer.alloc(2_000, 'b'));
}
