/**
 * The Debian of this machine as a tree of its own: the essential packages, some more, and the Node of the tests.
 *
 * The same release as the host, so that its Node runs there (Debian 12's own is too old for the helper).
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { repositoryRoot } from '../guest/repository.js';

const cacheDirectory = path.join(repositoryRoot, '.cache', 'debian');

/** Not needed by anything that runs, and half of the tree. */
const leftOut = ['/usr/share/doc/*', '/usr/share/locale/*', '/usr/share/man/*'];

/** Node's own library that is not essential in Debian. */
const neededByNode = 'libstdc++6';

/** The tree as a tar archive: made once for a list of packages, which takes half a minute, and then kept. */
export function debianArchive(packages: readonly string[]): string {
  const sources = aptSources();
  const release = releaseOfHost();
  const wanted = [...packages, neededByNode].join(',');
  const key = createHash('sha256').update(`${release} ${wanted}\n${sources}`).digest('hex').slice(0, 16);
  const archive = path.join(cacheDirectory, `${release}-${key}.tar`);
  if (fs.existsSync(archive)) return archive;

  fs.mkdirSync(cacheDirectory, { recursive: true });
  const unfinished = `${archive}.${process.pid}`;
  console.log(`making a Debian tree (${release} with ${wanted}); takes half a minute ...`);
  const options = leftOut.map((pattern) => `--dpkgopt=path-exclude=${pattern}`);
  const started = Date.now();
  try {
    execFileSync(
      'mmdebstrap',
      ['--variant=essential', '--format=tar', `--include=${wanted}`, ...options, release, unfinished, '-'],
      { input: sources, stdio: ['pipe', 'ignore', 'pipe'] },
    );
    fs.renameSync(unfinished, archive);
  } finally {
    fs.rmSync(unfinished, { force: true });
  }
  console.log(`... made in ${Math.round((Date.now() - started) / 1000)} s`);
  return archive;
}

/** A tree on disk, removed with `remove`. */
export class DebianTree {
  readonly path: string;

  /** `directory` is an empty one to fill; a new temporary one when not given. */
  constructor(packages: readonly string[], directory?: string) {
    const archive = debianArchive(packages);
    this.path = directory ?? fs.mkdtempSync(path.join(os.tmpdir(), 'debian-tree-'));
    // mkdtemp's 0700 would keep every other user of the tree out of its root
    fs.chmodSync(this.path, 0o755);
    execFileSync('tar', ['--extract', '--numeric-owner', '--file', archive, '--directory', this.path]);
    this.copyProgram(process.execPath, '/usr/bin/node');
  }

  /** Where a path of the tree is on the host. */
  at(inside: string): string {
    return path.join(this.path, inside);
  }

  /** Copies a program of the host, with the libraries that the tree does not have. */
  copyProgram(program: string, inside: string): void {
    fs.copyFileSync(fs.realpathSync(program), this.at(inside));
    fs.chmodSync(this.at(inside), 0o755);
    const libraries = execFileSync('ldd', [program], { encoding: 'utf8' });
    for (const [, library] of libraries.matchAll(/(?:=> |^\s*)(\/\S+)/gm)) {
      if (library === undefined || fs.existsSync(this.at(library))) continue;
      fs.mkdirSync(path.dirname(this.at(library)), { recursive: true });
      fs.copyFileSync(library, this.at(library));
    }
  }

  remove(): void {
    fs.rmSync(this.path, { recursive: true, force: true });
  }
}

function releaseOfHost(): string {
  const release = /^VERSION_CODENAME=(\w+)$/m.exec(fs.readFileSync('/etc/os-release', 'utf8'))?.[1];
  if (release === undefined) throw new Error('/etc/os-release names no release');
  return release;
}

/** Where apt of this machine gets Debian from, as a sources.list. */
function aptSources(): string {
  const known = knownArchives();
  if (known !== '') return known;
  // its lists have been removed, as images do
  execFileSync('apt-get', ['update', '-q'], { stdio: 'ignore' });
  const afterwards = knownArchives();
  if (afterwards === '') throw new Error('apt of this machine has no archive of Debian');
  return afterwards;
}

function knownArchives(): string {
  const line = 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)';
  return execFileSync(
    'apt-get',
    ['indextargets', '--format', line, 'Created-By: Packages', 'Origin: Debian'],
    { encoding: 'utf8' },
  );
}
