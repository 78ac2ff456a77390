/** The packages of this working tree, made once for all tests that look at them. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from '../../harness/guest/repository.js';

const cacheDirectory = path.join(repositoryRoot, '.cache', 'packages');
/** All that goes into a package. */
const sources = ['src', 'scripts', 'packaging', 'systemd', 'libvirt', 'examples', 'docs', '.'];

export type Architecture = 'amd64' | 'arm64';

export const { version } = JSON.parse(fs.readFileSync(path.join(repositoryRoot, 'package.json'), 'utf8')) as {
  version: string;
};

export function debName(architecture: Architecture, ofVersion = version): string {
  return `virtfs-proxy-helper_${ofVersion}_${architecture}.deb`;
}

export const archiveName = `virtfs-proxy-helper-${version}-linux-x64.tar.gz`;

/** Runs `scripts/package` of a checkout, and shows what it prints, since it takes a while. */
export function build(
  checkout: string,
  output: string,
  environment: NodeJS.ProcessEnv,
  architecture: Architecture,
): void {
  execFileSync('bash', ['scripts/package', '--output', output, architecture], {
    cwd: checkout,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

/** The directory with the packages for an architecture. */
export function builtPackages(architecture: Architecture): string {
  const directory = path.join(cacheDirectory, `${architecture}-${fingerprint()}`);
  if (fs.existsSync(directory)) return directory;
  fs.mkdirSync(cacheDirectory, { recursive: true });
  // one of each kind is enough, at 70 MB
  for (const name of fs.readdirSync(cacheDirectory)) {
    if (name.startsWith(architecture))
      fs.rmSync(path.join(cacheDirectory, name), { recursive: true, force: true });
  }
  const unfinished = `${directory}.${process.pid}`;
  build(repositoryRoot, unfinished, {}, architecture);
  fs.renameSync(unfinished, directory);
  return directory;
}

function fingerprint(): string {
  const hash = createHash('sha256');
  const commit = execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: repositoryRoot });
  hash.update(commit);
  for (const directory of sources) {
    const at = path.join(repositoryRoot, directory);
    const names = fs.readdirSync(at, { recursive: directory !== '.', encoding: 'utf8' }).sort();
    for (const name of names) {
      const file = path.join(at, name);
      if (fs.statSync(file, { throwIfNoEntry: false })?.isFile() !== true || name === '.git') continue;
      hash.update(`${directory}/${name}\n`).update(fs.readFileSync(file));
    }
  }
  return hash.digest('hex').slice(0, 16);
}
