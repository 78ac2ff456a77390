import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { completionScript } from '../../src/helper/cli/completion.js';
import { commands } from '../../src/helper/cli/commands.js';
import { options } from '../../src/helper/cli/options.js';
import { exportForTest } from '../../harness/tree.js';

/** What bash offers for the last of these words. */
function offered(words: readonly string[], cwd = '/'): string[] {
  const program = `${completionScript('bash')}
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
"$(complete -p virtfs-proxy-helper | sed 's/.*-F \\([^ ]*\\) .*/\\1/')"
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const all = ['--norc', '-c', program, 'bash', 'virtfs-proxy-helper', ...words];
  const { stdout, stderr } = spawnSync('bash', all, { cwd, encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((word) => word !== '');
}

describe('completion in bash', () => {
  it('offers every option, long and short', () => {
    const long = Object.keys(options).map((name) => `--${name}`);
    expect(offered(['--'])).toEqual(long);
    expect(offered(['-'])).toEqual(expect.arrayContaining([...long, '-p', '-s', '-h']));
    expect(offered(['--path', '/srv', '--log-l'])).toEqual(['--log-level']);
  });

  it('offers the values of an option, with a blank and with = before it', () => {
    expect(offered(['--seccomp', ''])).toEqual(['kill', 'log', 'none']);
    expect(offered(['--seccomp', '=', 'l'])).toEqual(['log']);
    expect(offered(['--seccomp', '='])).toEqual(['kill', 'log', 'none']);
    expect(offered(['-u', 'roo'])).toEqual(['root']);
    expect(offered(['--poll-us', ''])).toEqual([]);
  });

  it('offers directories, with blanks in their names too', () => {
    const directory = exportForTest();
    mkdirSync(join(directory, 'a b'));
    mkdirSync(join(directory, 'ac'));
    expect(offered(['--path', 'a'], directory).sort()).toEqual(['a b', 'ac']);
    expect(offered(['--path', `${directory}/a`]).map((name) => basename(name))).toContain('a b');
  });

  it('offers the commands, and the options of each', () => {
    expect(offered([''])).toEqual(Object.keys(commands));
    expect(offered(['completion', '--'])).toEqual(['--help']);
    expect(offered(['completion', ''])).toContain('bash');
  });
});
