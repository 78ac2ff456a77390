/** Every code of the catalogue, from a program that really fails so. */
import { spawnSync } from 'node:child_process';
import { closeSync, lchownSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type StartErrorCode, startErrors, statusOf } from '../../src/startup/start-errors.js';
import { commandLine, OURS, whyNotRoot } from '../../harness/helper-process.js';
import { whyNoInjection } from '../../harness/injection.js';
import { patience } from '../../harness/patience.js';
import { startCode } from '../../harness/start-code.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of failed starts skipped: ${skipped}`);
const noInjection = whyNoInjection();
if (noInjection !== undefined) console.warn(`some tests of failed starts skipped: ${noInjection}`);

interface Start {
  readonly args: readonly string[];
  /** Words in front of the command line. */
  readonly wrapper?: readonly string[];
  /** A program that runs some JavaScript before its own. */
  readonly before?: { readonly program: string; readonly code: string };
  /** The program's descriptor 3; /dev/null where none is given. */
  readonly descriptor?: number;
  readonly program?: string;
  /** Another exit status than the one of the catalogue: that of a program that ended by itself. */
  readonly status?: number;
}

/** What is asserted where the same failure takes more than a command line. */
interface Elsewhere {
  readonly assertedIn: string;
}

/** A command line that fails with the code. */
type Failing = () => Start | Promise<Start>;

const SERVED = ['-n', '-f', '3', '-p'] as const;
/** A helper on a connected socket, whose other end this process has. */
function served(path: string, ...options: readonly string[]): Start {
  const { client, peer } = WireClient.pair();
  onTestFinished(() => {
    client.close();
  });
  return { args: [...SERVED, path, ...options], descriptor: peer };
}

function onSocket(socket: string, ...options: readonly string[]): Start {
  return { args: ['-n', '-p', exportForTest(), '-s', socket, ...options] };
}

/** A helper one of whose system calls fails, in any of its first program's threads and forks. */
function injected(injection: string): Start {
  const wrapper = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `inject=${injection}`];
  return { ...served(exportForTest()), wrapper };
}

/** `run`, with a helper whose serving program does something before its own first line. */
function runWith(code: string, status?: number): Start {
  return {
    args: ['run', '--path', exportForTest(), '--', 'true', '{fd}'],
    before: { program: 'serve.js', code },
    ...(status === undefined ? {} : { status }),
  };
}

const run = (command: string): Start => ({ args: ['run', '--path', exportForTest(), '--', command, '{fd}'] });
const share = (...options: readonly string[]): Start => ({
  args: ['share', '--path', exportForTest(), ...options],
});

const inShell = (script: string): readonly string[] => ['sh', '-c', `${script} && exec "$@"`, 'sh'];

/** A port that somebody listens at. */
async function takenPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A socket pair that another user made: the kernel takes the ids of that moment for those of its peer. */
function pairOf(uid: number): number {
  process.seteuid!(uid);
  const { client, peer } = WireClient.pair();
  process.seteuid!(0);
  onTestFinished(() => {
    client.close();
  });
  return peer;
}

const failures: Readonly<Record<StartErrorCode, Failing | Elsewhere>> = {
  usage: () => ({ args: ['--no-such-option'] }),
  'unknown-account': () => onSocket(join(exportForTest(), 'socket'), '-u', 'nosuchuser'),
  'wrong-passed-sockets': () => ({
    args: ['-n', '-p', exportForTest()],
    wrapper: ['sh', '-c', 'export LISTEN_PID=$$ LISTEN_FDS=2; exec "$@"', 'sh'],
  }),
  'socket-is-connected': () => served(exportForTest(), '--keep-listening'),
  'open-files-above-limit': () => ({
    ...served(exportForTest(), '--rlimit-nofile', '4096'),
    wrapper: ['prlimit', '--nofile=2048:2048'],
  }),
  'working-directory-lost': () => ({
    ...served('.'),
    wrapper: ['sh', '-c', 'cd "$0" && mkdir gone && cd gone && rmdir ../gone && exec "$@"', exportForTest()],
  }),

  'node-too-old': { assertedIn: 'test/packaging/node-version.test.ts' },
  'package-not-loaded': { assertedIn: 'test/packaging/native-packages.test.ts' },
  'program-not-started': () => injected('execve:error=EACCES'),
  'program-unreadable': { assertedIn: 'test/server/share.test.ts' },
  'system-incomplete': () => ({
    ...served(exportForTest()),
    wrapper: ['unshare', '--mount', ...inShell('mount -t tmpfs none /proc')],
  }),
  'out-of-resources': () => injected('socketpair:error=EMFILE'),
  'open-files-too-few': () => ({
    ...served(exportForTest(), '--descriptor-requests'),
    wrapper: ['prlimit', '--nofile=512:512'],
  }),
  'threads-busy': () => ({
    ...served(exportForTest()),
    before: {
      program: 'main.js',
      code: "new (require('node:worker_threads').Worker)('for (;;);', { eval: true }).unref()",
    },
  }),

  'root-required': () => ({
    ...served(exportForTest()),
    wrapper: ['setpriv', '--bounding-set=-mknod', '--inh-caps=-mknod'],
  }),
  'started-set-uid': () => ({ ...served(exportForTest()), wrapper: ['setpriv', '--ruid=1000'] }),
  'rights-not-dropped': () => injected('prctl:error=EPERM'),
  'user-not-taken': () => ({
    ...injected('setgid:error=EPERM'),
    args: ['run', '--run-as', 'nobody', '--path', exportForTest(), '--', 'true', '{fd}'],
  }),
  'root-not-changed': () => injected('fchdir:error=EACCES'),
  'filter-not-installed': () => injected('seccomp:error=EINVAL'),

  'export-not-found': () => served('/nonexistent'),
  'export-not-a-directory': () => served('/etc/passwd'),
  'export-not-opened': () => {
    const path = join(exportForTest(), 'circle');
    symlinkSync('circle', path);
    return served(path);
  },
  'export-behind-link': () => {
    const base = exportForTest();
    symlinkSync('/', join(base, 'link'));
    return served(join(base, 'link'), '--path-base', base);
  },
  // as a directory that cannot be made private: who replaces one would have to do it within microseconds
  'export-replaced': () => injected('mount:error=EINVAL:when=4'),
  'export-without-xattrs': () => ({
    ...served('/mnt', '--security-model', 'mapped-xattr'),
    wrapper: ['unshare', '--mount', ...inShell('mount -t ramfs none /mnt')],
  }),
  'mounts-not-followed': () => injected('socketpair:error=EMFILE:when=2'),

  'socket-unsuitable': () => ({ args: [...SERVED, exportForTest()] }),
  'ready-fd-unsuitable': () => served(exportForTest(), '--ready-fd', '99'),
  'client-not-allowed': () => ({ ...served(exportForTest(), '-u', '1001'), descriptor: pairOf(1000) }),
  'helper-not-reached': () => ({
    args: ['server', '--helper', join(exportForTest(), 'none'), '--listen', 'tcp:127.0.0.1:9'],
  }),
  'already-in-use': async () => share(`--listen=tcp:127.0.0.1:${await takenPort()}`),
  // TEST-NET-1, which no host has
  'address-not-available': () => share('--listen=tcp:192.0.2.1:5640', '--allow-network'),
  'path-taken': () => {
    const path = join(exportForTest(), 'file');
    writeFileSync(path, 'precious');
    return onSocket(path);
  },
  'link-not-trusted': () => {
    const directory = exportForTest();
    mkdirSync(join(directory, 'real'));
    symlinkSync('real', join(directory, 'link'));
    lchownSync(join(directory, 'link'), 1000, 1000);
    return onSocket(join(directory, 'link/socket'));
  },
  'file-not-created': () => onSocket('/nosuchdir/socket'),

  'command-not-found': () => run('/nonexistent'),
  'command-not-executable': () => run('/etc/passwd'),
  'ended-early': () => runWith('process.exit(7)', 7),
  stopped: () =>
    // when it has a handler for each, and has not confined itself
    runWith(
      "process.on('newListener', (name) => { if (name === 'SIGHUP') process.kill(process.pid, 'SIGTERM') })",
    ),
  'parent-ended': () => ({
    program: join(dirname(OURS), 'p9-server.js'),
    args: [
      JSON.stringify({
        parent: 1,
        client: { kind: 'unix' },
        logLevel: 'info',
        logFormat: 'text',
        journal: false,
      }),
    ],
  }),
  'other-version': () =>
    runWith(
      "const { report } = JSON.parse(process.argv[2]); require('fs').writeSync(report, 'no [not-invented-yet]\\n'); process.exit(1)",
    ),
  bug: () => runWith("setImmediate(() => { throw new Error('not as it should be') })"),
};

function end({ args, wrapper = [], before, descriptor, program = OURS }: Start): {
  status: number | null;
  code: string | undefined;
  stderr: string;
} {
  const [command, argv] = commandLine(program, args);
  const preload = join(exportForTest(), 'preload.cjs');
  if (before !== undefined)
    writeFileSync(preload, `if (process.argv[1]?.endsWith('/${before.program}')) { ${before.code} }`);
  const [first = command, ...rest] = [...wrapper, command, ...argv];
  const { status, stderr } = spawnSync(first, rest, {
    stdio: ['ignore', 'ignore', 'pipe', descriptor ?? 'ignore'],
    env: before === undefined ? process.env : { ...process.env, NODE_OPTIONS: `--require ${preload}` },
    encoding: 'utf8',
    timeout: 20_000 * patience,
    killSignal: 'SIGKILL',
  });
  if (descriptor !== undefined) closeSync(descriptor);
  return { status, code: startCode(stderr), stderr };
}

const codes = Object.keys(startErrors) as StartErrorCode[];

it.skipIf(skipped !== undefined).each(codes)(
  'a start fails as the catalogue says: %s',
  { timeout: 30_000 * patience },
  async (code) => {
    const failing = failures[code];
    if (typeof failing !== 'function') {
      expect(readFileSync(failing.assertedIn, 'utf8').includes(code)).toBe(true);
      return;
    }
    const start = await failing();
    if (start.wrapper?.[0] === 'strace' && noInjection !== undefined) return;
    const ended = end(start);
    expect(ended, ended.stderr).toMatchObject({ code, status: start.status ?? statusOf(code) });
    // one line, whoever passed it on, below what the program logged
    expect(ended.stderr).toMatch(/^((info|fatal): [^\n]*\n)*virtfs-proxy-helper: [^\n]+\n$/);
  },
);
