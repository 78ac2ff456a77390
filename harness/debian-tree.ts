/**
 * A Debian as a tree of its own.
 *
 * Usually the essential packages of this machine's release, some more, and the Node of the tests, which runs there
 * (Debian 12's own is too old for the helper). Or a bare tree: what the smallest installation of any release has.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { repositoryRoot } from './guest/repository.js';

const cacheDirectory = path.join(repositoryRoot, '.cache', 'debian');

export interface TreeOptions {
  /** An empty directory to fill; a new temporary one when not given. */
  readonly directory?: string;
  /** The release of a bare tree, which has apt, its documentation and no Node. */
  readonly bare?: string;
}

/** Not needed by anything that runs, and half of the tree. */
const leftOut = ['/usr/share/doc/*', '/usr/share/locale/*', '/usr/share/man/*'];

/** Node's own library that is not essential in Debian. */
const neededByNode = 'libstdc++6';

/**
 * The tree as a tar archive: made once for a list of packages, which takes half a minute, and then kept.
 *
 * @param bare the release of a bare tree
 */
export function debianArchive(packages: readonly string[], bare?: string): string {
  const release = bare ?? releaseOfHost();
  const sources = aptSources(release);
  const wanted = [...packages, ...(bare === undefined ? [neededByNode] : [])].join(',');
  const options =
    bare === undefined
      ? ['--variant=essential', ...leftOut.map((pattern) => `--dpkgopt=path-exclude=${pattern}`)]
      : // the index of testing may be older than it says it can be
        ['--variant=minbase', '--aptopt=Acquire::Check-Valid-Until "false"'];
  const recipe = `${release} ${wanted} ${options.join(' ')}\n${sources}`;
  const key = createHash('sha256').update(recipe).digest('hex').slice(0, 16);
  const archive = path.join(cacheDirectory, `${release}-${key}.tar`);
  if (fs.existsSync(archive)) return archive;

  fs.mkdirSync(cacheDirectory, { recursive: true });
  const unfinished = `${archive}.${process.pid}`;
  console.log(`making a Debian tree (${release} with ${wanted}); takes half a minute ...`);
  const started = Date.now();
  try {
    execFileSync(
      'mmdebstrap',
      ['--format=tar', `--include=${wanted}`, ...options, release, unfinished, '-'],
      // no initramfs for a kernel in the tree, which takes longer than all the rest: guests have their own
      { input: sources, stdio: ['pipe', 'ignore', 'pipe'], env: { ...process.env, INITRD: 'No' } },
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

  constructor(packages: readonly string[], { directory, bare }: TreeOptions = {}) {
    const archive = debianArchive(packages, bare);
    this.path = directory ?? fs.mkdtempSync(path.join(os.tmpdir(), 'debian-tree-'));
    // mkdtemp's 0700 would keep every other user of the tree out of its root
    fs.chmodSync(this.path, 0o755);
    execFileSync('tar', ['--extract', '--numeric-owner', '--file', archive, '--directory', this.path]);
    if (bare === undefined) this.copyProgram(process.execPath, '/usr/bin/node');
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

/** What runs machines in a bare tree: one archive for all tests of a release. */
export const qemuPackages: readonly string[] = [
  ...['systemd', 'systemd-sysv', 'dbus'],
  ...['qemu-system-x86', 'linux-image-amd64'],
];

/**
 * A bare tree of Debian testing, with libvirt, whose QEMU is the only one that lets its user make a vhost-user device of any
 * kind; or why there is none: testing changes every day, and may not be installable.
 */
export function debianTesting(): DebianTree | string {
  try {
    const packages = [...qemuPackages, 'libvirt-daemon-system', 'libvirt-clients'];
    return new DebianTree(packages, { bare: 'testing' });
  } catch (error) {
    return `no tree of Debian testing: ${(error as Error).message.split('\n', 1)[0]!}`;
  }
}

function releaseOfHost(): string {
  const release = /^VERSION_CODENAME=(\w+)$/m.exec(fs.readFileSync('/etc/os-release', 'utf8'))?.[1];
  if (release === undefined) throw new Error('/etc/os-release names no release');
  return release;
}

/** Where apt of this machine gets Debian from, as a sources.list of a release. */
function aptSources(release: string): string {
  let known = knownArchives();
  if (known === '') {
    // its lists have been removed, as images do
    execFileSync('apt-get', ['update', '-q'], { stdio: 'ignore' });
    known = knownArchives();
  }
  if (known === '') throw new Error('apt of this machine has no archive of Debian');
  return known.replaceAll(new RegExp(` ${releaseOfHost()}(?=[ -])`, 'g'), ` ${release}`);
}

function knownArchives(): string {
  const line = 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)';
  return execFileSync(
    'apt-get',
    ['indextargets', '--format', line, 'Created-By: Packages', 'Origin: Debian'],
    { encoding: 'utf8' },
  );
}
