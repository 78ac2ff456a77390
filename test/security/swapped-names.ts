/** Names of an export that are swapped while requests run through them. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { newName, type Paths } from './attack-requests.js';
import type { Outside } from '../../harness/outside.js';
import type { Side, SwapPlan } from './programs/swap.js';

const content = ['f', 'sub/', 'sub/f', 'empty/', 'link'];

/** Swaps directories of the export with links that lead out of it. */
export function plan({ host, exportPath, path: outside }: Outside): SwapPlan {
  const inside = (name: string): string => join(exportPath, name);
  const directory = (name: string): Side => ({ path: inside(name), kind: 'directory', content });
  const symlink = (name: string, target: string): Side => ({ path: inside(name), kind: 'symlink', target });
  const file = (name: string): Side => ({ path: inside(name), kind: 'file' });
  mkdirSync(inside('attic'));
  mkdirSync(inside('deep/er/and'), { recursive: true });
  return {
    exchange: [
      [directory('d'), symlink('d-link', outside)],
      [directory('e'), symlink('e-link', '../outside')],
      [directory('chained'), symlink('chained-link', 'hop')],
      [directory('hop'), symlink('hop-link', `${'../'.repeat(30)}${outside}`)],
      [file('file'), symlink('file-link', `${outside}/f`)],
      [file('either'), directory('either-directory')],
      // `..` of the same directory means something else from one moment to the next
      [directory('deep/er/and/deeper'), directory('shallow')],
    ],
    move: [],
    attic: inside('attic'),
    counter: join(host, 'swaps'),
  };
}

const roots = [
  'd',
  'd-link',
  'e',
  'e-link',
  'chained',
  'chained-link',
  'hop',
  'either',
  'shallow',
  'deep/er/and/deeper',
];

/** Paths through what is swapped. */
export function paths({ path: outside }: Outside): Paths {
  const behind = [
    '',
    '/f',
    '/f',
    '/sub/f',
    '/empty',
    '/link',
    '/sub/../f',
    '/../outside/f',
    '/../../outside/sub',
  ];
  const climbs = ['/sub/../../../outside/f', `/${'../'.repeat(20)}${outside}/f`, `${'/.'.repeat(2_100)}/f`];
  return (random) => {
    if (random.chance(0.08)) return random.pick(['/file', '/file-link', `${outside}/f`, '/../outside/f']);
    if (random.chance(0.1)) return `/${newName(random)}`;
    return `/${random.pick(roots)}${random.pick(random.chance(0.25) ? climbs : behind)}`;
  };
}
