import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { completionScript } from '../../src/helper/cli/completion.js';
import { type Command, commands } from '../../src/helper/cli/commands.js';
import { options } from '../../src/helper/cli/options.js';
import { exportForTest } from '../../harness/tree.js';

const skipped = spawnSync('fish', ['--version']).error === undefined ? undefined : 'fish is not installed';
if (skipped !== undefined) console.warn(`completion in fish skipped: ${skipped}`);

/** What fish offers for the last word of a command line, with its descriptions. */
function offered(line: string): Map<string, string> {
  const place = exportForTest();
  mkdirSync(join(place, 'only-directory'));
  writeFileSync(join(place, 'only-file'), '');
  const completions = join(place, 'completions');
  mkdirSync(completions);
  // found by its name, as it is when it is installed
  writeFileSync(join(completions, 'virtfs-proxy-helper.fish'), completionScript('fish'));
  // which it is only for a program that is there
  const programs = join(place, 'programs');
  mkdirSync(programs);
  writeFileSync(join(programs, 'virtfs-proxy-helper'), '', { mode: 0o755 });
  const program = 'set -p fish_complete_path $argv[1]; complete -C $argv[2]';
  const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', program, completions, line], {
    cwd: place,
    encoding: 'utf8',
    env: { PATH: `${programs}:${process.env['PATH'] ?? ''}`, HOME: place },
  });
  expect(stderr).toBe('');
  const lines = stdout.split('\n').filter((text) => text !== '');
  return new Map(lines.map((text) => text.split('\t') as [string, string]));
}

const words = (line: string): string[] => [...offered(line).keys()];

describe.skipIf(skipped !== undefined)('completion in fish', () => {
  it('offers every option with its help, long and short', () => {
    const shown = offered('virtfs-proxy-helper --');
    for (const [name, { help }] of Object.entries(options)) expect(shown.get(`--${name}`)).toBe(help);
    expect(words('virtfs-proxy-helper -')).toEqual(expect.arrayContaining(['-p', '-s', '-h']));
    expect(words('virtfs-proxy-helper --path /srv --log-l')).toEqual(['--log-level']);
  });

  it('offers the values of an option', () => {
    expect(words('virtfs-proxy-helper --seccomp ').sort()).toEqual(['kill', 'log', 'none']);
    expect(words('virtfs-proxy-helper --seccomp=l')).toEqual(['--seccomp=log']);
    expect(words('virtfs-proxy-helper -u roo')).toEqual(['root']);
    expect(words('virtfs-proxy-helper --poll-us ')).toEqual([]);
  });

  it('offers only directories for a directory, and files where a file is meant', () => {
    expect(words('virtfs-proxy-helper --path only')).toEqual(['only-directory/']);
    expect(words('virtfs-proxy-helper --socket only').sort()).toEqual(['only-directory/', 'only-file']);
    expect(words('virtfs-proxy-helper status only').sort()).toEqual(['only-directory/', 'only-file']);
  });

  it('offers the commands, and the options of each and no others', () => {
    const shown = offered('virtfs-proxy-helper ');
    expect([...shown.keys()].sort()).toEqual(Object.keys(commands).sort());
    for (const [name, { summary, options: table }] of Object.entries<Command>(commands)) {
      expect(shown.get(name)).toBe(summary);
      const long = words(`virtfs-proxy-helper ${name} --`).filter((word) => word.startsWith('--'));
      expect(long.sort()).toEqual(
        Object.keys(table)
          .map((option) => `--${option}`)
          .sort(),
      );
    }
    expect(words('virtfs-proxy-helper completion ').sort()).toEqual(['bash', 'fish', 'zsh']);
    // a directory that has the name of a command does not make the line one of that command
    expect(words('virtfs-proxy-helper --path run --run-')).toEqual([]);
  });

  it('offers what the command of run would be offered alone', () => {
    expect(words('virtfs-proxy-helper run --path /srv -- virtfs-proxy-helper --seccomp ').sort()).toEqual([
      'kill',
      'log',
      'none',
    ]);
  });
});
