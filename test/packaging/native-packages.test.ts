/** A package with machine code that does not load: one line says what is wrong and what to type, from everywhere. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import { installHelper, OtherNode, ownMajor, testedMajors } from '../../harness/nodes.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of packages that do not load skipped: ${skipped}`);

describe.skipIf(skipped !== undefined)('a package with machine code that does not load', () => {
  let prefix: string;
  let packages: string;
  let program: string;

  beforeAll(() => {
    prefix = mkdtempSync(join(tmpdir(), 'native-'));
    program = installHelper(prefix);
    packages = join(dirname(dirname(program)), 'node_modules');
  });

  afterAll(() => {
    rmSync(prefix, { recursive: true });
  });

  /** Everything that a start can need of them. */
  const starts: Readonly<Record<string, readonly string[]>> = {
    'with the name of a user': ['--nodaemon', '--uid=nobody'],
    'with a limit on descriptors': ['--nodaemon', '--rlimit-nofile=100'],
  };

  /** What a start prints, and its status. */
  function start(
    words: readonly string[],
    node = process.execPath,
  ): { stderr: string; status: number | null } {
    const argv = [program, `--path=${prefix}`, `--socket=${join(prefix, 'socket')}`, ...words];
    const { stderr, status } = spawnSync(node, argv, { encoding: 'utf8', timeout: 20_000 });
    return { stderr, status };
  }

  function withoutPackage(name: string, check: () => void): void {
    const away = join(prefix, 'away');
    renameSync(join(packages, name), away);
    try {
      check();
    } finally {
      renameSync(away, join(packages, name));
    }
  }

  const rebuild = (): string => `npm rebuild --global --prefix ${prefix} --allow-scripts=posix posix`;

  describe('posix, compiled for another Node', () => {
    let other: OtherNode;
    beforeAll(() => {
      other = new OtherNode(testedMajors.find((major) => major !== ownMajor) ?? 0);
    }, 120_000);

    it.each(Object.entries(starts))('%s', (_how, words) => {
      const { stderr, status } = start(words, other.program);
      expect(stderr).toMatch(
        /^virtfs-proxy-helper: the npm package posix was compiled for another Node than this one \(\S+, v\d+\.\d+\.\d+\); type ".*" \[package-not-loaded\]\n$/,
      );
      expect(stderr).toContain(rebuild());
      expect(status).toBe(1);
    });

    it('does not matter where nothing of it is needed', () => {
      const argv = [program, '--nodaemon', `--path=${prefix}`, '--fd=99'];
      expect(spawnSync(other.program, argv, { encoding: 'utf8' }).stderr).toContain('--fd 99');
    });
  });

  describe('posix, not compiled', () => {
    it.each(Object.entries(starts))('%s', (_how, words) => {
      withoutPackage('posix/build', () => {
        expect(start(words)).toEqual({
          stderr: `virtfs-proxy-helper: the npm package posix was not compiled when it was installed; type "${rebuild()}" [package-not-loaded]\n`,
          status: 1,
        });
      });
    });

    it('with `run`, where it looks up a user', () => {
      withoutPackage('posix/build', () => {
        const argv = [program, 'run', '--run-as=nobody', `--path=${prefix}`, '--', 'true', '{fd}'];
        const { stderr, status } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
        expect(stderr).toMatch(
          /^virtfs-proxy-helper: the npm package posix was not compiled .* \[package-not-loaded\]\n$/,
        );
        expect(status).toBe(1);
      });
    });

    it('as a dependency of a project, whose npm takes another command', () => {
      withoutPackage('posix/build', () => {
        // not below lib/node_modules
        const project = join(prefix, 'project');
        renameSync(join(prefix, 'lib'), project);
        const inProject = join(project, 'node_modules/virtfs-proxy-helper/dist/main.js');
        const { stderr } = spawnSync(
          process.execPath,
          [inProject, '-n', '-p', prefix, '-s', join(prefix, 'socket'), '--uid=nobody'],
          {
            encoding: 'utf8',
          },
        );
        renameSync(project, join(prefix, 'lib'));
        const place = join(project, 'node_modules/virtfs-proxy-helper');
        expect(stderr).toContain(
          `type "npm rebuild --prefix ${place} posix" (with npm 12 before that "npm install-scripts approve --prefix ${place} posix")`,
        );
      });
    });
  });

  it.each(Object.entries(starts))('posix, not there at all, %s', (_how, words) => {
    withoutPackage('posix', () => {
      expect(start(words)).toEqual({
        stderr:
          'virtfs-proxy-helper: the npm package posix is missing; install the helper again, with the same Node and npm install --include=optional [package-not-loaded]\n',
        status: 1,
      });
    });
  });

  it.each(Object.entries(starts))('koffi, without what is for this platform, %s', (_how, words) => {
    withoutPackage('@koromix', () => {
      const { stderr, status } = start(words);
      expect(stderr).toMatch(
        /^virtfs-proxy-helper: the npm package koffi does not load in Node v\S+ on linux-\w+: .*; install the helper again, .* \[package-not-loaded\]\n$/,
      );
      expect(status).toBe(1);
    });
  });

  it('koffi, in the library', () => {
    withoutPackage('@koromix', () => {
      const library = join(packages, '..', 'dist', 'library.mjs');
      const script = `import(${JSON.stringify(library)}).catch((error) => console.log(error.message, error.code, error.status))`;
      const { stdout } = spawnSync(process.execPath, ['--eval', script], { encoding: 'utf8' });
      expect(stdout).toMatch(
        /^the npm package koffi does not load in .*; install the helper again, .* package-not-loaded 1\n$/,
      );
    });
  });
});
