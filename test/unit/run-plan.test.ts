import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { commands } from '../../src/helper/cli/commands.js';
import { parseArguments } from '../../src/cli/arguments.js';
import { ExitStatus } from '../../src/startup/exit-status.js';
import { StartError } from '../../src/startup/start-errors.js';
import { planRun } from '../../src/run/plan.js';

const plan = (...argv: string[]): ReturnType<typeof planRun> =>
  planRun(parseArguments(commands.run.options, argv, 'virtfs-proxy-helper run'));

describe('the command line of run', () => {
  it('gives each share the options behind its --path, and those in front of all', () => {
    const { shares, command, runAs, keptVariables } = plan(
      ...[
        '--log-level',
        'warn',
        '-p',
        '/srv/a',
        '--readonly',
        '--run-as',
        'qemu',
        '--keep-env=A',
        '--path=/srv/b',
        '--keep-env',
        'B',
        '--poll-us=0',
      ],
      ...['--', 'qemu', 'sock_fd={fd},x', '{fd2}', '--path', '{fd}{fd2}', '{}', '{fds}'],
    );
    expect(shares).toEqual([
      { path: '/srv/a', options: ['--log-level=warn', '--path=/srv/a', '--readonly'] },
      { path: '/srv/b', options: ['--log-level=warn', '--path=/srv/b', '--poll-us=0'] },
    ]);
    expect(command).toEqual(['qemu', 'sock_fd=3,x', '4', '--path', '34', '{}', '{fds}']);
    expect(runAs).toBe('qemu');
    expect(keptVariables).toEqual(['A', 'B']);
  });

  it('lets a share have another value than all', () => {
    const { shares } = plan(
      '--log-level=warn',
      '--map-uid=0:1:1',
      '-p',
      '/a',
      '--log-level=info',
      '--map-uid=1:5:1',
      '--',
      'x{fd}',
    );
    expect(shares[0]?.options).toEqual([
      '--map-uid=0:1:1',
      '--path=/a',
      '--log-level=info',
      '--map-uid=1:5:1',
    ]);
  });

  it.each(['README.md', 'docs/orchestrators.md'])('is taken as %s has it', (document) => {
    const text = readFileSync(new URL(`../../${document}`, import.meta.url), 'utf8');
    const [, block = ''] = /^```sh\nvirtfs-proxy-helper run (.*?)^```/ms.exec(text) ?? [];
    const { shares, command } = plan(...block.replaceAll('\\\n', ' ').trim().split(/\s+/));
    shares.forEach((_, index) => {
      expect(command.join(' ')).toContain(`sock_fd=${3 + index} `);
    });
    expect(command[0]).toBe('qemu-system-x86_64');
  });

  it.each([
    [['-p', '/srv'], 'the command is missing'],
    [['-p', '/srv', '--'], 'the command is missing'],
    [['--', 'qemu', '{fd}'], '--path is required'],
    [['-p', '/srv', 'qemu', '{fd}'], 'unexpected argument qemu: the command comes after --'],
    [
      ['-p', '/srv', '--', 'qemu'],
      '/srv is shared with nobody: the command does not name its descriptor, {fd}',
    ],
    [['-p', '/a', '-p', '/b', '--', 'qemu', '{fd}'], '/b is shared with nobody'],
    [['-p', '/srv', '--', 'qemu', '{fd}', '{fd2}'], '{fd2}: there is no such share, only 1'],
    [['-p', '/srv', '--', 'qemu', '{fd0}'], '{fd0}: there is no such share'],
    [['-p', '/srv', '--socket', '/s', '--', 'qemu', '{fd}'], 'unknown option --socket'],
    [['-p', '/srv', '--keep-env', 'A', '--', 'qemu', '{fd}'], '--keep-env is for --run-as'],
    [
      ['--run-as', 'a', '--keep-env', 'A=1', '-p', '/srv', '--', 'qemu', '{fd}'],
      '--keep-env A=1: must be the name',
    ],
    [
      ['--run-as', 'a', '--keep-env', 'A,B', '-p', '/srv', '--', 'qemu', '{fd}'],
      '--keep-env A,B: must be the name',
    ],
    [
      ['--run-as', 'a', '--keep-env', 'HOME', '-p', '/srv', '--', 'qemu', '{fd}'],
      '--keep-env HOME: is always that of the user',
    ],
    [['--run-as', 'a', '--run-as', 'b', '-p', '/srv', '--', 'qemu', '{fd}'], '--run-as is given twice'],
    [['-p', '/srv', '--keep-listening', '--', 'qemu', '{fd}'], 'unknown option --keep-listening'],
    [
      ['-p', '/srv', '--log-level=info', '--log-level=warn', '--', 'qemu', '{fd}'],
      '--log-level is given twice',
    ],
    [['-p', '/\u{dcff}', '--', 'qemu', '{fd}'], 'is not UTF-8; change to its directory and give --path .'],
    [['-p', '/srv', '--', 'qemu', '{fd}', '\u{dcff}'], 'is not UTF-8, so cannot be passed on'],
    [['-p', '/srv', '--seccomp', 'x', '--', 'qemu', '{fd}'], '--seccomp x: must be one of'],
  ])('refuses %j in one line that says why', (argv, reason) => {
    let message = '';
    try {
      plan(...argv);
    } catch (error) {
      if (!(error instanceof StartError) || error.status !== ExitStatus.USAGE) throw error;
      ({ message } = error);
    }
    expect(message).toContain(reason);
    expect(message).not.toContain('\n');
  });
});
