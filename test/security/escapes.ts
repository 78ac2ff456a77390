/** Paths that stand still and try to leave an export, and what they are tried with. */
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { Random } from '../../harness/random.js';
import { type RequestName, requestNames, requestTypes } from '../../harness/requests.js';
import type { WireClient } from '../../harness/wire-client.js';
import { attack } from './attack-requests.js';
import type { Outside } from '../../harness/outside.js';

/** How often each type of request is drawn for each path: flags, owners and second paths differ. */
const DRAWS = 4;
/** Ways out to show when there are any. */
export const SHOWN = 6;

/** Links to the outside in all the ways a link can be written, and an inside of the same names. */
export function fill(host: Outside): void {
  const { exportPath, path: outside } = host;
  for (const name of readdirSync(exportPath)) {
    if (name !== 'proc') rmSync(join(exportPath, name), { recursive: true, force: true });
  }
  for (const directory of ['d', 'd/sub', 'd/empty']) mkdirSync(join(exportPath, directory));
  for (const file of ['d/f', 'd/sub/f']) writeFileSync(join(exportPath, file), 'inside');
  const links: Readonly<Record<string, string>> = {
    absolute: outside,
    relative: '../outside',
    high: `${'../'.repeat(40)}${outside}`,
    'd/relative': '../../outside',
    'd/sub/relative': '../../../outside',
    up: '..',
    'd/up': '../..',
    root: '/',
    chain1: 'chain2',
    chain2: '/d/chain3',
    'd/chain3': './../chain4',
    chain4: 'd/sub/../../absolute',
    through: 'up/outside',
    file: `${outside}/f`,
    'file-relative': '../outside/f',
    'magic-root': '/proc/self/root',
    'magic-cwd': '/proc/self/cwd/..',
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(exportPath, name));
  host.giveAway(exportPath);
}

export function linkPaths(): string[] {
  const links = [
    'absolute',
    'relative',
    'high',
    'd/relative',
    'd/sub/relative',
    'chain1',
    'chain2',
    'through',
  ];
  const upward = ['up', 'd/up', 'root', 'up/up/up', 'd/up/../up'].map((link) => `${link}/outside`);
  return [
    ...[...links, ...upward].flatMap((link) =>
      ['', '/f', '/sub/f', '/empty', '/link'].map((rest) => `/${link}${rest}`),
    ),
    '/file',
    '/file-relative',
    '/up',
    '/root',
    '/up/..',
  ];
}

export function dotDotPaths({ path: outside }: Outside): string[] {
  const climbs = [
    '..',
    '../..',
    'd/../..',
    'd/sub/../../..',
    'd/./../..',
    'd//..//..',
    'd/sub/../../../d/../..',
  ];
  const many = '../'.repeat(60);
  return [
    ...climbs.flatMap((climb) => [
      `/${climb}/outside/f`,
      `${climb}/outside/f`,
      `/${climb}`,
      `//${climb}//outside//sub//f`,
    ]),
    `/${many}${outside}/f`,
    `${many}${outside}/f`,
    `${outside}/f`,
    '../outside/empty',
    '../outside/link',
    '..',
    '/..',
    '.',
    '',
  ];
}

/** Longer than the kernel takes in one call, so that the helper has to walk. */
export function deepPaths({ path: outside }: Outside): string[] {
  const there = 'd/sub/../../';
  return [400, 1_020, 2_000].flatMap((repetitions) => [
    `/${there.repeat(repetitions)}../outside/f`,
    `/${'d/../'.repeat(repetitions)}${'../'.repeat(30)}${outside}/f`,
    `/${'./'.repeat(repetitions)}absolute/f`,
    `/${'d/./'.repeat(1)}${'./'.repeat(2 * repetitions)}relative/f`,
    `/${'./'.repeat(2 * repetitions)}file`,
    `/d${'/.'.repeat(2 * repetitions)}/../../outside/f`,
    `/${'/'.repeat(4 * repetitions)}relative/f`,
  ]);
}

/** Every type of request on every path. Names of the types that had a success, and each way out that was found. */
export function attackAll(
  client: WireClient,
  outside: Outside,
  paths: readonly string[],
  seed: number,
): Set<RequestName> {
  const random = new Random(seed);
  const found: string[] = [];
  const worked = new Set<RequestName>();
  for (const name of requestNames) {
    for (const path of paths) {
      for (let draw = 0; draw < DRAWS; draw++) {
        const { bytes } = attack(name, random, () => (random.chance(0.8) ? path : '/d/f'), [
          outside.path,
          '../outside',
        ]);
        const reply = client.request(bytes);
        if (reply.errno === 0) worked.add(name);
        const leak = outside.leak(requestTypes[name], reply);
        if (leak !== undefined) found.push(`${name} ${path.slice(0, 200)}: ${leak}`);
      }
    }
    found.push(...outside.changes().map((change) => `${name}: ${change}`));
    fill(outside);
  }
  expect(found.slice(0, SHOWN)).toEqual([]);
  return worked;
}
