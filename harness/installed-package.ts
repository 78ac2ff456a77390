/** Installs the package into a tree as the documentation says. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { repositoryRoot } from './guest/repository.js';
import type { DebianTree } from './debian-tree.js';

/** Where it lies in the tree: what `npm root --global` says when the prefix is /usr/local. */
export const globalModules = '/usr/local/lib/node_modules';

/**
 * `npm pack`, `npm install --global`. What is built goes in, and is not built again: other tests run helpers from it. npm
 * runs on this machine and is only told another prefix: the tree has no compiler (for the package posix), and the Node is
 * the same.
 */
export function installPackage(tree: DebianTree): void {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'packed-'));
  const npm = (...words: readonly string[]): string =>
    execFileSync('npm', words, { cwd: repositoryRoot, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    npm('pack', '--ignore-scripts', '--pack-destination', directory);
    const [archive] = fs.readdirSync(directory);
    if (archive === undefined) throw new Error('npm pack made no archive');
    npm('install', '--global', '--prefix', tree.at('/usr/local'), path.join(directory, archive));
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}
