/** Other versions of Node than the one that runs the tests, from npm, and helpers installed for them. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from './guest/repository.js';

interface Manifest {
  readonly version: string;
  readonly engines: { readonly node: string };
}

function manifest(...directory: readonly string[]): Manifest {
  return JSON.parse(readFileSync(join(repositoryRoot, ...directory, 'package.json'), 'utf8')) as Manifest;
}

/** What `engines` of package.json says: the one table of the versions that the helper is tested with. */
export const testedRanges: readonly string[] = manifest().engines.node.split(' || ');

export const testedMajors: readonly number[] = testedRanges.map((range) => Number(/\d+/.exec(range)?.[0]));

export const ownMajor = Number(process.versions.node.split('.')[0]);

const cache = join(repositoryRoot, '.cache', 'node');

/** Makes a directory of the cache, unless it is there already: whole or not at all. */
function cached(name: string, make: (directory: string) => void): string {
  const directory = join(cache, name);
  if (existsSync(directory)) return directory;
  mkdirSync(cache, { recursive: true });
  const unfinished = mkdtempSync(join(cache, 'unfinished-'));
  try {
    make(unfinished);
    try {
      renameSync(unfinished, directory);
    } catch (error) {
      // another process that tests has made the same meanwhile
      if (!existsSync(directory)) throw error;
    }
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return directory;
}

/** Another npm than that of this machine. @returns its program */
export function installNpm(version: number): string {
  const directory = cached(`npm-${version}`, (unfinished) => {
    npm(unfinished, ['install', '--prefix', unfinished, `npm@${version}`]);
  });
  return join(directory, 'node_modules', 'npm', 'bin', 'npm-cli.js');
}

/** A Node of npm's, with its headers, and what has to be compiled for it. Installed once, below `.cache`. */
export class OtherNode {
  readonly #directory: string;

  /** @param version its newest release, or what else npm knows as a version: `22`, `22.12.0` */
  constructor(version: number | string) {
    this.#directory = cached(`${version}-${process.arch}`, (unfinished) => {
      install(unfinished, version);
    });
  }

  get program(): string {
    return join(packageDirectory(this.#directory), 'bin', 'node');
  }

  /** Where its headers lie, for node-gyp. */
  get headers(): string {
    return packageDirectory(this.#directory);
  }

  /** The npm package posix, compiled for this Node. */
  get posix(): string {
    const place = join(this.#directory, 'node_modules', 'posix');
    if (!existsSync(place)) compilePosix(this.#directory);
    return place;
  }
}

/** Where the package of the binary lies, with the headers. */
function packageDirectory(directory: string): string {
  return join(directory, 'node_modules', `node-linux-${process.arch}`);
}

function install(directory: string, version: number | string): void {
  // what npm 12 wants to be told before it compiles posix
  writeFileSync(join(directory, 'package.json'), '{ "allowScripts": { "posix": true } }\n');
  npm(directory, ['install', '--ignore-scripts', `node-linux-${process.arch}@${version}`]);
}

function compilePosix(directory: string): void {
  const { version } = manifest('node_modules', 'posix');
  const programs = join(packageDirectory(directory), 'bin');
  npm(directory, ['install', `posix@${version}`], {
    ...process.env,
    // npm, and node-gyp for the headers
    PATH: `${programs}:${process.env['PATH'] ?? ''}`,
    npm_config_nodedir: packageDirectory(directory),
  });
}

function npm(directory: string, words: readonly string[], env: NodeJS.ProcessEnv = process.env): void {
  const flags = ['--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync('npm', [...words, ...flags], { cwd: directory, env, stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Where npm puts the helper below a prefix. */
function installedBelow(prefix: string): string {
  return join(prefix, 'lib', 'node_modules', 'virtfs-proxy-helper');
}

/**
 * Copies the helper that was built, as npm would install it globally.
 *
 * @param posix the package posix, compiled for the Node that is to run the helper; by default for the one that runs this
 * @returns the starting program
 */
export function installHelper(prefix: string, posix = join(repositoryRoot, 'node_modules', 'posix')): string {
  const place = installedBelow(prefix);
  for (const part of ['dist', 'package.json']) copy(join(repositoryRoot, part), join(place, part));
  for (const name of ['koffi', '@koromix'])
    copy(join(repositoryRoot, 'node_modules', name), join(place, 'node_modules', name));
  copy(posix, join(place, 'node_modules', 'posix'));
  return join(place, 'dist', 'main.js');
}

function copy(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
}

/** A helper that was installed together with a Node of its own, where every user may read and run it. */
export class HelperOnNode {
  readonly #prefix = mkdtempSync(join(tmpdir(), 'helper-on-node-'));
  readonly node = join(this.#prefix, 'bin', 'node');
  readonly program: string;

  constructor(version: number | string) {
    const node = new OtherNode(version);
    mkdirSync(join(this.#prefix, 'bin'));
    copyFileSync(node.program, this.node);
    this.program = installHelper(this.#prefix, node.posix);
    execFileSync('chmod', ['-R', 'a+rX', this.#prefix]);
  }

  remove(): void {
    rmSync(this.#prefix, { recursive: true, force: true });
  }
}
