/** Programs that die before they are ready: whoever started them is told why, in one line. */
import { spawnSync, type SpawnSyncReturns, type StdioOptions } from 'node:child_process';
import { createRequire } from 'node:module';
import { closeSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  commandLine,
  helperForTest,
  OURS,
  sessionForTest,
  whyNotRoot,
} from '../../harness/helper-process.js';
import { whyNoInjection } from '../../harness/injection.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';
import { patience } from '../../harness/patience.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of starts that die skipped: ${skipped}`);
const noInjection = skipped ?? whyNoInjection();
if (noInjection !== skipped) console.warn(`some tests of starts that die skipped: ${noInjection}`);

/** Where compiled packages are for a program that lies elsewhere. */
const koffi = JSON.stringify(createRequire(import.meta.url).resolve('koffi'));

interface Death {
  readonly what: string;
  readonly error: 'ended-early' | 'bug';
  /** What the program does before its own first line. */
  readonly code: string;
  readonly status: number;
  readonly how: RegExp;
  /** What is told of its stderr where nobody else sees that. */
  readonly words?: RegExp;
}

const FORBIDDEN = /was killed by SIGSYS before it was ready; .*--seccomp log/;
const deaths: readonly Death[] = [
  {
    what: 'a signal before its first line',
    error: 'ended-early',
    code: "process.kill(process.pid, 'SIGSYS')",
    status: 1,
    how: FORBIDDEN,
  },
  {
    what: 'a module that does not load',
    error: 'ended-early',
    code: "throw new Error('no such module')",
    status: 1,
    how: /ended with status 1 before it was ready/,
    words: /Error: no such module$/,
  },
  {
    what: 'an exit without a word',
    error: 'ended-early',
    code: 'process.exit(7)',
    status: 7,
    how: /ended with status 7 before it was ready$/,
  },
];
/** Those that only a program with an event loop can die. */
const deathsInTheLoop: readonly Death[] = [
  {
    what: 'a bug in its event loop',
    error: 'bug',
    code: "setImmediate(() => { throw new Error('not as it should be') })",
    status: 1,
    how: /a bug: not as it should be$/,
  },
];
/** As with a libuv that makes calls which the filter does not know. */
const forbiddenCall: Death = {
  what: 'a forbidden call in its event loop',
  error: 'ended-early',
  code: `const unshare = require(${koffi}).load(null).func('int unshare(int)'); setImmediate(() => { unshare(0) })`,
  status: 1,
  how: FORBIDDEN,
};
const serving = [...deaths, ...deathsInTheLoop, forbiddenCall];
const listening = [...deaths, ...deathsInTheLoop];

/** The environment in which one of the programs runs some code before its own. */
function dyingAs(program: string, code: string): NodeJS.ProcessEnv {
  const preload = join(exportForTest(), 'preload.cjs');
  writeFileSync(preload, `if (process.argv[1]?.endsWith('/${program}')) { ${code} }`);
  return { ...process.env, NODE_OPTIONS: `--require ${preload}` };
}

/** Runs a helper's command line to its end. */
function run(args: readonly string[], env: NodeJS.ProcessEnv): SpawnSyncReturns<string> {
  const [command, argv] = commandLine(OURS, args);
  return spawnSync(command, argv, { encoding: 'utf8', env, timeout: 20_000 * patience });
}

/** Expects one line that is the program's own, says how another one died, and has what that wrote. */
function expectReason(text: string, { error, how, words }: Death): void {
  const [, line, code] = /^virtfs-proxy-helper: (.*) \[([a-z-]+)\]\n$/.exec(text) ?? [];
  expect(code, text).toBe(error);
  expect(line).toMatch(how);
  if (words !== undefined) expect(line).toMatch(words);
}

describe.skipIf(skipped !== undefined)('a program that dies before it is ready', () => {
  it.each(serving)('in the background: $what', (death) => {
    const socket = join(exportForTest(), 'socket');
    const { status, stderr } = run(['-p', exportForTest(), '-s', socket], dyingAs('serve.js', death.code));
    expectReason(stderr, death);
    expect(status).toBe(1);
  });

  it.each(listening)('as a listener in the background: $what', (death) => {
    const socket = join(exportForTest(), 'socket');
    const args = ['-p', exportForTest(), '-s', socket, '--keep-listening'];
    const { status, stderr } = run(args, dyingAs('listen.js', death.code));
    expectReason(stderr, death);
    expect(status).toBe(1);
  });

  it.each(serving)('beside a command of run, which is not started: $what', (death) => {
    const args = ['run', '--path', exportForTest(), '--', 'echo', 'the command', '{fd}'];
    const { status, stdout, stderr } = run(args, dyingAs('serve.js', death.code));
    const [line, code] = stderr
      .trimEnd()
      .split('\n')
      .at(-1)!
      .split(/ (?=\[)/);
    expect(line).toMatch(death.how);
    expect(code).toBe(`[${death.error}]`);
    expect([status, stdout]).toEqual([death.status, '']);
  });

  it.each([
    ...deaths.map((death) => ({ ...death, program: 'client.js' })),
    ...serving.map((death) => ({ ...death, program: 'serve.js' })),
  ])(
    'for the client of a listener, which goes on: $program, $what',
    async ({ program, error, code, how }) => {
      const socket = join(exportForTest(), 'socket');
      const args = ['-n', '-p', exportForTest(), '-s', socket, '--keep-listening'];
      const helper = helperForTest(args, { env: dyingAs(program, code) });
      await vi.waitFor(() => {
        expect(existsSync(socket)).toBe(true);
      }, 10_000);
      const client = WireClient.connect(socket);
      onTestFinished(() => {
        client.close();
      });
      expect(client.atEnd()).toBe(true);
      await vi.waitFor(() => {
        const [, told, why] =
          /^error: cannot serve a client \(client=1, code=(\S+), why=(.*)\)$/m.exec(helper.stderr()) ?? [];
        expect([told, why]).toEqual([error, expect.stringMatching(how)]);
      }, 10_000);
      expect(helper.child.exitCode).toBeNull();
    },
  );
});

describe.skipIf(noInjection !== undefined)('a start in which the kernel interrupts', () => {
  /** A helper whose client has already left, with one system call of each process injected. */
  function injected(injection: string): SpawnSyncReturns<string> {
    const [command, argv] = commandLine(OURS, ['-n', '-p', exportForTest(), '-f', '3']);
    const { client, peer } = WireClient.pair();
    client.close();
    const strace = ['-f', '-qq', '-o', '/dev/null', '-e', `inject=${injection}`];
    const stdio: StdioOptions = ['ignore', 'ignore', 'pipe', peer];
    const options = { encoding: 'utf8', stdio, timeout: 20_000 * patience } as const;
    const ended = spawnSync('strace', [...strace, command, ...argv], options);
    closeSync(peer);
    return ended;
  }

  it('the process that changes the root: that one is killed', () => {
    const { status, stderr } = injected('pivot_root:signal=KILL');
    expect(stderr).toContain(
      'cannot make the export the root directory: the process that changes the root was killed by SIGKILL [root-not-changed]\n',
    );
    expect(status).toBe(1);
  });

  it('those that wait for each other: they go on to wait', () => {
    const { status, stderr } = injected('recvfrom:error=EINTR:when=1');
    expect(stderr).toContain('the client has left');
    expect(status).toBe(0);
  });
});

describe.skipIf(skipped !== undefined)('a helper that is ready', () => {
  it('has nothing open but what it names, and no ring that the event loop submits to behind its filter', () => {
    const { client, helper } = sessionForTest(exportForTest());
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    const process = `/proc/${helper.pid}`;
    // as seen from here /dev/null has lost its parent with the change of root
    const { stdout } = spawnSync('find', [`${process}/fd`, '-type', 'l', '-printf', '%l\n'], {
      encoding: 'utf8',
    });
    const known =
      /^(\/|(\/dev)?\/null|\/run\/virtfs-proxy-helper-exports\/[\d:.]+|\/tmp\/\S+\/stderr|(socket|pipe):\[\d+\]|anon_inode:\[(eventpoll|eventfd)\])$/;
    expect(
      stdout
        .trim()
        .split('\n')
        .filter((target) => !known.test(target)),
    ).toEqual([]);
    expect(readFileSync(`${process}/maps`, 'utf8')).not.toContain('io_uring');
  });

  it('in the background has no stderr any more', async () => {
    const directory = exportForTest();
    const [socket, pidfile] = [join(directory, 'socket'), join(directory, 'pid')];
    const { status } = run(['-p', exportForTest(), '-s', socket, '--pidfile', pidfile], process.env);
    expect(status).toBe(0);
    const client = WireClient.connect(socket);
    const pid = readFileSync(pidfile, 'utf8').trim();
    for (const standard of [0, 1, 2])
      expect(statSync(`/proc/${pid}/fd/${standard}`).rdev).toBe(statSync('/dev/null').rdev);
    client.close();
    await vi.waitFor(() => {
      expect(existsSync(`/proc/${pid}`)).toBe(false);
    }, 10_000);
  });
});
