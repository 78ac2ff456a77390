import { describe, expect, it } from 'vitest';
import { configure } from '../../src/cli/configuration.js';
import { helpText } from '../../src/cli/help.js';
import { options, parseOptions } from '../../src/cli/options.js';
import { ExitStatus, StartError } from '../../src/exit-status.js';

const configuration = (...argv: string[]): ReturnType<typeof configure> => configure(parseOptions(argv));

function refusal(...argv: string[]): string {
  try {
    configuration(...argv);
  } catch (error) {
    if (error instanceof StartError && error.status === ExitStatus.USAGE) return error.message;
    throw error;
  }
  throw new Error(`${argv.join(' ')} was accepted`);
}

describe('the command line', () => {
  it('takes the long, the short and the joined form of the reference', () => {
    const expected = configuration(
      '--path',
      '/srv',
      '--socket',
      '/run/s',
      '--uid',
      'qemu',
      '--gid',
      '9',
      '--nodaemon',
    );
    expect(configuration('-p', '/srv', '-s', '/run/s', '-u', 'qemu', '-g', '9', '-n')).toEqual(expected);
    expect(configuration('-p/srv', '-s/run/s', '--uid=qemu', '-g9', '-n')).toEqual(expected);
    expect(expected).toEqual({
      exportPath: '/srv',
      endpoint: { kind: 'path', path: '/run/s', uid: 'qemu', gid: '9', allowed: [] },
      control: undefined,
      daemon: false,
      keepListening: false,
      readyDescriptor: undefined,
      pidfile: undefined,
      openFiles: undefined,
      readOnly: false,
      ids: undefined,
      model: { name: 'passthrough', fileMode: 0o600, directoryMode: 0o700, xattrs: true, multidevs: 'remap' },
      seccomp: 'kill',
      pollCeiling: 100,
      logLevel: 'info',
      logFormat: 'text',
    });
  });

  it('takes what LXD and Incus give', () => {
    expect(configuration('--nodaemon', '--fd', '3', '--path', '/srv').endpoint).toEqual({
      kind: 'descriptor',
      descriptor: 3,
      origin: '--fd 3',
      uid: undefined,
      gid: undefined,
      allowed: [],
    });
  });

  it('takes every --allow-uid, not only the last', () => {
    const { allowed } = configuration('-p', '/', '-f', '3', '--allow-uid', 'a', '--allow-uid=1').endpoint;
    expect(allowed).toEqual(['a', '1']);
  });

  it('knows mapped as an old name, and modes with and without a leading zero', () => {
    expect(
      configuration('-p', '/', '-f', '3', '--security-model', 'mapped', '--fmode', '0640').model,
    ).toEqual({
      name: 'mapped-xattr',
      fileMode: 0o640,
      directoryMode: 0o700,
      xattrs: true,
      multidevs: 'remap',
    });
    const { model } = configuration(
      '-p',
      '/',
      '-f',
      '3',
      '--security-model=mapped-file',
      '--dmode=751',
      '--xattr=off',
    );
    expect(model).toEqual({
      name: 'mapped-file',
      fileMode: 0o600,
      directoryMode: 0o751,
      xattrs: false,
      multidevs: 'remap',
    });
  });

  it('resolves relative paths, as the working directory changes later', () => {
    expect(configuration('-p', '.', '-f', '3').exportPath).toBe(process.cwd());
  });

  it.each([
    [['-f', '3'], '--path is required'],
    [['-p', '/srv'], 'one of --socket and --fd is required'],
    [['-p', '/srv', '-f', '3', '-s', '/run/s'], '--socket and --fd exclude each other'],
    [['-p', '/srv', '-f', '3', '--ready-fd', '4'], '--ready-fd is for --nodaemon'],
    [['-p', '/srv', '-f', '3', '-n', '--ready-fd', 'x'], '--ready-fd x: must be the number'],
    [['-p', '/srv', '-f', 'x'], '--fd x: must be the number of an inherited descriptor'],
    [['-p', '/srv', '-f', '-1'], '-f'],
    [['-p', '/srv', '-s', `/${'x'.repeat(107)}`], 'longer than the 107 bytes'],
    [['-p', '/srv', '-f', '3', '--log-level', 'loud'], 'must be one of fatal, error'],
    [['-p', '/srv', '-f', '3', '--security-model', 'squash'], 'must be one of passthrough, none, mapped'],
    [
      ['-p', '/srv', '-f', '3', '--fmode', '600'],
      "only for mapped-xattr and mapped-file: in passthrough the guest's",
    ],
    [['-p', '/srv', '-f', '3', '--security-model', 'none', '--dmode', '700'], 'only for mapped-xattr'],
    [['-p', '/srv', '-f', '3', '--security-model', 'mapped', '--fmode', '4600'], 'octal, from 000 to 777'],
    [['-p', '/srv', '-f', '3', '--security-model', 'mapped', '--dmode', '789'], 'octal, from 000 to 777'],
    [
      ['-p', '/srv', '-f', '3', '--security-model', 'mapped', '--squash-uid', '1'],
      'ids are mapped with passthrough only',
    ],
    [['-p', '/srv', '-f', '3', '--xattr', 'yes'], 'must be one of on, off'],
    [['-p', '/srv', '-f', '3', '--seccomp', 'maybe'], 'must be one of kill, log, none'],
    [['-p', '/srv', '-f', '3', '--poll-us', '1001'], 'must be a number from 0 to 1000'],
    [['-p', '/srv', '-f', '3', '--log-format', 'xml'], 'must be one of text, json'],
    [['-p', '/srv', '-f', '3', '--rlimit-nofile', '63'], 'must be a number of at least 64'],
    [['-p', '/srv', '-f', '3', 'rest'], 'unexpected argument rest'],
    [['-p', '/srv', '-f', '3', '--bogus'], 'unknown option --bogus'],
    [['-p'], '-p needs a value: DIR'],
    [['--nodaemon=yes', '-p', '/srv', '-f', '3'], '--nodaemon takes no value'],
    [['-p', '/srv\u{fffd}', '-f', '3'], 'not UTF-8'],
  ])('refuses %j in one line that says why', (argv, reason) => {
    const message = refusal(...argv);
    expect(message).toContain(reason);
    expect(message).not.toContain('\n');
  });

  it('refuses what only looks like an option of the table', () => {
    expect(refusal('--constructor')).toContain('unknown option --constructor');
  });

  it('shows every option in the help text', () => {
    for (const name of Object.keys(options)) expect(helpText()).toContain(`--${name}`);
  });
});
