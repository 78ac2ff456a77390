/** The lists of scripts/install-test-requirements: what the demonstration needs, and no more. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findProgram, guestTools } from '../../harness/guest/image.js';
import { repositoryRoot } from '../../harness/guest/repository.js';

const script = join(repositoryRoot, 'scripts', 'install-test-requirements');
const list = (...words: readonly string[]): string[] =>
  execFileSync(script, [...words, '--list'], { encoding: 'utf8' })
    .trim()
    .split('\n');

/** What would be installed on a machine that has nothing of it: apt looks at an empty list of installed packages. */
function installs(packages: readonly string[]): string[] {
  const bare = ['-o', 'Dir::State::status=/dev/null', '--simulate', '--no-install-recommends'];
  const output = execFileSync('apt-get', [...bare, 'install', ...packages], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  return [...output.matchAll(/^Inst (\S+)/gm)].map(([, name = '']) => name);
}

/** The package that brings a file; files of a merged /usr are known by either name. */
function packageOf(path: string): string {
  for (const name of [path, realpathSync(path), realpathSync(path).replace(/^\/usr\//, '/')]) {
    const { status, stdout } = spawnSync('dpkg-query', ['--search', name], { encoding: 'utf8' });
    if (status === 0) return stdout.split(':')[0] ?? '';
  }
  throw new Error(`${path} is of no package`);
}

describe('the Debian packages', { timeout: 180_000 }, () => {
  let simulated: string[] | undefined;
  const demo = (): string[] => (simulated ??= installs(list('--for=demo')));

  it('of the demonstration are some of those of the tests', () => {
    expect(list()).toEqual(expect.arrayContaining(list('--for=demo')));
    expect(list('--for=demo').length).toBeLessThan(list().length);
  });

  it.skipIf(!existsSync('/var/lib/apt/lists'))(
    'of the demonstration bring nothing that only tests use',
    () => {
      expect(demo()).toEqual(expect.arrayContaining(list('--for=demo')));
      // the rest of the tests' list may be somebody's dependency, such as xz-utils
      const unwanted =
        /libvirt|buildah|zsh|fish|strace|mandoc|mmdebstrap|lintian|aarch64|systemd-container|user-mode|diod|socat/;
      expect(demo().filter((name) => unwanted.test(name))).toEqual([]);
    },
  );

  it('of the demonstration have, with those of every Debian, all that the guest consists of', () => {
    const everywhere = execFileSync('dpkg-query', ['--show', '--showformat=${Essential} ${Package}\n'], {
      encoding: 'utf8',
    });
    const essential = [...everywhere.matchAll(/^yes (\S+)$/gm)].map(([, name = '']) => name);
    const available = new Set([...demo(), ...essential]);
    for (const name of guestTools)
      expect([name, available.has(packageOf(findProgram(name)))]).toEqual([name, true]);
  });

  it('are named for what is known only', () => {
    const { status, stderr } = spawnSync(script, ['--for=everything'], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([2, 'install-test-requirements: --for=everything: unknown option\n']);
  });
});
