import { describe, expect, it } from 'vitest';
import { configure } from '../../src/helper/cli/configuration.js';
import { helpText } from '../../src/helper/cli/help.js';
import { options, parseOptions } from '../../src/helper/cli/options.js';
import { ExitStatus } from '../../src/startup/exit-status.js';
import { StartError } from '../../src/startup/start-errors.js';

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
      given: { path: '/srv', socket: '/run/s', uid: 'qemu', gid: '9', nodaemon: true },
      exportPath: '/srv',
      descriptorRequests: false,
      formerMounts: [],
      followMounts: true,
      endpoint: { kind: 'path', path: '/run/s', uid: 'qemu', gid: '9', allowed: [] },
      control: undefined,
      daemon: false,
      keepListening: false,
      readyDescriptor: undefined,
      pidfile: undefined,
      openFiles: undefined,
      readOnly: false,
      ids: undefined,
      model: {
        name: 'passthrough',
        fileMode: 0o600,
        directoryMode: 0o700,
        xattrs: true,
        multidevs: 'remap',
        fileCapabilities: false,
        hostSymlinks: false,
      },
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
      fileCapabilities: false,
      hostSymlinks: false,
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
      fileCapabilities: false,
      hostSymlinks: false,
    });
  });

  it('resolves relative paths, as the working directory changes later', () => {
    expect(configuration('-p', '.', '-f', '3').exportPath).toBe(process.cwd());
  });

  it('takes the same value twice, and every switch', () => {
    const once = configuration('-p', '/srv', '-n', '-f', '3');
    expect(configuration('-p', '/srv', '-n', '--path=/srv', '-f', '3', '-n', '--fd', '3')).toEqual(once);
  });

  it('takes a standard descriptor in the foreground, and one of systemd beside another to report to', () => {
    expect(configuration('-n', '-p', '/srv', '-f', '0', '--ready-fd', '1').endpoint).toMatchObject({
      descriptor: 0,
    });
    const passed = [{ descriptor: 3, name: 'a' }];
    expect(configure(parseOptions(['-n', '-p', '/srv', '--ready-fd', '4']), passed).readyDescriptor).toBe(4);
    expect(() => configure(parseOptions(['-n', '-p', '/srv', '--ready-fd', '3']), passed)).toThrow(
      'LISTEN_FDS, descriptor 3 (a) and --ready-fd 3 are the same descriptor',
    );
  });

  it('takes a socket that systemd passed by the name 9p-server for that of a server, whatever user that is', () => {
    const argv = ['-p', '/srv', '--uid', 'qemu', '--allow-uid', '1'];
    const of = (name: string, ...more: string[]): ReturnType<typeof configure> =>
      configure(parseOptions([...argv, ...more]), [{ descriptor: 3, name }]);
    expect(of('9p-server')).toMatchObject({ descriptorRequests: true, endpoint: { allowed: [] } });
    expect(of('9p-server').endpoint.uid).toBeUndefined();
    expect(of('other')).toMatchObject({
      descriptorRequests: false,
      endpoint: { uid: 'qemu', allowed: ['1'] },
    });
    expect(of('9p-server', '--fd=4')).toMatchObject({ descriptorRequests: false, endpoint: { uid: 'qemu' } });
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
    [['-p', '/srv', '-f', '3', '--former-mounts', '0'], 'must be numbers of mounts'],
    [['-p', '/srv', '-f', '3', '--former-mounts', '1,,2'], 'must be numbers of mounts'],
    [['-p', '/srv', '-f', '3', '--rlimit-nofile', '63'], 'must be a number of at least 64'],
    [['-p', '/srv', '-f', '3', 'rest'], 'unexpected argument rest'],
    [['-p', '/srv', '-f', '3', '--bogus'], 'unknown option --bogus'],
    [['-p'], '-p needs a value: DIR'],
    [['--nodaemon=yes', '-p', '/srv', '-f', '3'], '--nodaemon takes no value'],
    [['-p', '/srv', '-n', '-s', '/srv\u{dcff}'], '--socket /srv\u{dcff}: the path is not UTF-8'],
    [['-p', '/a', '--path', '/b', '-f', '3'], '--path is given twice: /a and /b'],
    [['-p', '/a', '-s', '/s', '-s', '/t'], '--socket is given twice: /s and /t'],
    [['-p', '/a', '-f', '3', '--fd=4'], '--fd is given twice: 3 and 4'],
    [['-p', '/a', '-s', '/s', '-u', '1', '--uid=2'], '--uid is given twice: 1 and 2'],
    [
      ['-p', '/', '-f', '3', '--security-model', 'none', '--security-model=mapped'],
      'is given twice: none and mapped',
    ],
    [['-p', '/', '-n', '-f', '3', '--ready-fd', '3'], '--fd 3 and --ready-fd 3 are the same descriptor'],
    [['-p', '/', '-n', '-f', '2'], '--fd 2: the log goes there'],
    [['-p', '/', '-n', '-f', '3', '--ready-fd', '2'], '--ready-fd 2: the log goes there'],
    [['-p', '/', '-f', '0'], '--fd 0: is closed in the background'],
    [['-p', '/', '-f', '1'], '--fd 1: is closed in the background'],
    [
      ['-p', '/', '-s', '/run/a', '--control', '/run/../run/a'],
      '--socket and --control are the same path, /run/a',
    ],
    [['-p', '/', '-s', '/run/a', '--pidfile', '/run/a'], '--socket and --pidfile are the same path'],
    [
      ['-p', '/', '-f', '3', '--control', '/run/a', '--pidfile', '/run/a'],
      '--control and --pidfile are the same path',
    ],
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
