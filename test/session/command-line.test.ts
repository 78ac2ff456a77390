/** Command lines that cannot be right, and those that only look so: one line says what was wrong, and nothing is lost. */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { commandLine, helperForTest, OURS, whyNotRoot } from '../../harness/helper-process.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of the command line skipped: ${skipped}`);

const ONE_LINE = /^virtfs-proxy-helper: [^\n]+\n$/;
const [program, script] = commandLine(OURS, []);

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A shell in which `helper` is the program. Its bytes are those of the characters. */
function shell(text: string, directory = '/'): Ran {
  const lines = `helper() { '${program}' ${script.map((word) => `'${word}'`).join(' ')} "$@"; }\n${text}\n`;
  return spawnSync('bash', [], {
    cwd: directory,
    input: Buffer.from(lines, 'latin1'),
    encoding: 'utf8',
    timeout: 30_000,
  });
}

/** A connected pair whose other end goes to a helper as the descriptors given, of which no other is passed. */
function started(
  args: readonly string[],
  stdio: readonly ('socket' | 'ignore')[],
): { client: WireClient; ran: Ran } {
  const { client, peer } = WireClient.pair(5);
  const ran = spawnSync(program, [...script, ...args], {
    stdio: stdio.map((one) => (one === 'socket' ? peer : one)),
    encoding: 'utf8',
    timeout: 30_000,
  });
  closeSync(peer);
  onTestFinished(() => {
    client.close();
  });
  return { client, ran };
}

describe.skipIf(skipped !== undefined)('a descriptor', () => {
  it('that is both stderr and the socket is refused: the log would be sent to the client', () => {
    const { ran } = started(['-n', '-p', '/', '-f', '3'], ['ignore', 'ignore', 'socket', 'socket']);
    expect(ran.status).toBe(2);
  });

  it.each([
    ['3', '3'],
    ['3', '4'],
  ])(
    'to report to (%s and %s) that is the socket as well is refused, and the client reads nothing',
    (fd, ready) => {
      const { client, peer } = WireClient.pair(5);
      const stderr = openSync(join(exportForTest(), 'stderr'), 'w+');
      const args = [...script, '-n', '-p', '/', '-f', fd, '--ready-fd', ready];
      const { status } = spawnSync(program, args, {
        stdio: ['ignore', 'ignore', stderr, peer, peer],
        timeout: 30_000,
      });
      closeSync(peer);
      expect(readFileSync(`/proc/self/fd/${stderr}`, 'utf8')).toMatch(
        /^virtfs-proxy-helper: --fd 3 and [^\n]+ are the same /,
      );
      closeSync(stderr);
      expect([status, client.atEnd()]).toEqual([2, true]);
      client.close();
    },
  );

  it('that is Node’s own is none to report to, nor is one for reading', { timeout: 120_000 }, () => {
    for (let number = 4; number < 40; number++) {
      const { status, stderr } = shell(`helper -n -p / -f 3 --ready-fd ${number} 3</dev/null`);
      expect([number, status, stderr]).toEqual([
        number,
        1,
        expect.stringMatching(/^virtfs-proxy-helper: --ready-fd /),
      ]);
      expect(stderr).toMatch(ONE_LINE);
    }
    expect(shell('helper -n -p / -f 3 --ready-fd 4 4</dev/null')).toMatchObject({
      status: 1,
      stderr: 'virtfs-proxy-helper: --ready-fd 4: is not open for writing [ready-fd-unsuitable]\n',
    });
  });

  it('may be stdin, and stdout may be told that it is served', () => {
    const { client, peer } = WireClient.pair(5);
    const report = join(exportForTest(), 'report');
    const wrapper = ['sh', '-c', `exec "$@" <&3 3<&- >'${report}'`, 'sh'];
    helperForTest(['-n', '-p', exportForTest(), '-f', '0', '--ready-fd', '1'], { inherit: [peer], wrapper });
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    expect(readFileSync(report, 'utf8')).toBe('ready\n');
    client.close();
  });
});

describe.skipIf(skipped !== undefined)('a path', () => {
  /** A directory below one whose name is not UTF-8, by the bytes of its path. */
  function oddDirectory(): Buffer {
    const base = mkdtempSync(join(tmpdir(), 'odd-'));
    onTestFinished(() => {
      rmSync(base, { recursive: true });
    });
    const path = Buffer.concat([Buffer.from(`${base}/`), Buffer.from([0xff, 0xc3, 0xa9, 0x80])]);
    mkdirSync(path);
    return path;
  }

  it.each(['absolute', 'relative'])('may be any bytes: %s', (kind) => {
    const path = oddDirectory();
    const { client, peer } = WireClient.pair(5);
    const [dir, option] = kind === 'absolute' ? ['/', path] : [path, '.'];
    const quoted = (text: string | Buffer): string =>
      `$'${[...Buffer.from(text)].map((byte) => `\\x${byte.toString(16)}`).join('')}'`;
    const wrapper = ['bash', '-c', `cd ${quoted(dir)} && exec "$@" -p ${quoted(option)}`, 'bash'];
    const helper = helperForTest(['-n', '-f', '3'], { inherit: [peer], wrapper });
    const made = client.request(requests.mkdir({ uid: 0, gid: 0 }, '/made', 0o755));
    expect([made.errno, helper.stderr()]).toEqual([0, expect.stringContaining('root=a mount of its own')]);
    expect(readdirSync(path)).toEqual(['made']);
    client.close();
  });

  it('of a socket is refused when it is not UTF-8, and run cannot pass one on', () => {
    const socket = shell("helper -n -p / -s $'/tmp/\\xff'");
    expect([socket.status, socket.stderr]).toEqual([2, expect.stringMatching(ONE_LINE)]);
    const run = shell("helper run --path $'/tmp/\\xff' -- true {fd}");
    expect([run.status, run.stderr]).toEqual([
      2,
      expect.stringContaining('change to its directory and give --path .'),
    ]);
  });

  it('is run with when it is relative, as the advice says', () => {
    const path = oddDirectory();
    const text = Buffer.from(path).toString('latin1');
    expect(shell(`cd '${text}' && helper run --log-level=error --path . -- true {fd}`)).toMatchObject({
      status: 0,
      stderr: '',
    });
  });

  it.each(['-n -p . -f 3', '-n -p / -s socket', '-n -p / -f 3 --control c', 'run --path . -- true {fd}'])(
    'that is relative to a directory without a path is refused in one line: %s',
    (args) => {
      const base = exportForTest();
      const removed = shell(`mkdir gone && cd gone && rmdir ../gone && helper ${args} 3</dev/null`, base);
      expect([removed.status, removed.stderr]).toEqual([
        1,
        expect.stringContaining('the working directory was removed; give an absolute path'),
      ]);
      const deep = 'for n in {1..30}; do mkdir -p $d && cd $d || exit; done';
      const long = shell(`d=${'d'.repeat(200)}; ${deep}; helper ${args} 3</dev/null`, base);
      expect([long.status, long.stderr]).toEqual([
        1,
        expect.stringContaining('the working directory has too long a path; give an absolute path'),
      ]);
      for (const { stderr } of [removed, long]) expect(stderr).toMatch(ONE_LINE);
    },
  );

  it('of a control socket that cannot be made is told with the reason', async () => {
    const { client, peer } = WireClient.pair(5);
    const directory = exportForTest();
    const helper = helperForTest(['-n', '-p', directory, '-f', '3', '--control', '/mnt/c'], {
      inherit: [peer],
      wrapper: ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs -o ro none /mnt && exec "$@"', 'sh'],
    });
    const { status, stderr } = await helper.exit();
    expect([status, stderr]).toEqual([
      1,
      'virtfs-proxy-helper: cannot create the control socket /mnt/c: read-only file system (EROFS) [file-not-created]\n',
    ]);
    client.close();
  });

  it.each([
    ['/etc/passwd', 'is no socket'],
    ['/dev/null', 'is no socket'],
    ['/tmp', 'is no socket'],
    ["''", 'a SOCKET is empty'],
    ['/etc/passwd/x', 'not a directory'],
  ])('that is %s has no helper to ask: %s', (path, reason) => {
    const { stderr, stdout } = shell(`helper status ${path}`);
    expect([stdout, stderr]).toEqual(['', expect.stringContaining(reason)]);
    expect(stderr).toMatch(ONE_LINE);
  });
});

describe('what is printed', () => {
  it.each(['--help', '--version', '--print-privileges', 'completion bash', 'run --help'])(
    'to a full disk fails in one line, and to a reader who has gone without one: %s',
    (args) => {
      const full = shell(`helper ${args} >/dev/full`);
      expect([full.status, full.stderr]).toEqual([
        1,
        expect.stringMatching(/^virtfs-proxy-helper: cannot write to stdout: ENOSPC[^\n]*\n$/),
      ]);
      const gone = shell(
        `mkfifo fifo; (helper ${args} >fifo; echo $? >&2) & exec 3<fifo 3<&-; wait`,
        exportForTest(),
      );
      expect(gone.stderr).toBe('1\n');
    },
  );
});

describe.skipIf(skipped !== undefined)('an option that is given twice', () => {
  it('is refused before anything is made', () => {
    const directory = exportForTest();
    writeFileSync(join(directory, 'file'), '');
    const { status, stderr } = shell('helper -p . -s one -s two', directory);
    expect([status, stderr]).toEqual([2, expect.stringContaining('--socket is given twice: one and two')]);
    expect(existsSync(join(directory, 'one')) || existsSync(join(directory, 'two'))).toBe(false);
  });
});
