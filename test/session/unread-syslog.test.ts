/** The log of a helper in the background, on a host whose syslog daemon reads, does not read, or is gone. */
import { spawnSync } from 'node:child_process';
import { closeSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { commandLine, OURS, whyNotRoot } from '../../harness/helper-process.js';
import { bindDatagrams, receiveDatagram } from '../../harness/libc.js';
import { frame, requests, requestTypes } from '../../harness/requests.js';
import { controlPathForTest, statusJson } from '../../harness/status-command.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';

const skipped = whyNotRoot();
/** More than a datagram socket has room for: /proc/sys/net/unix/max_dgram_qlen. */
const MANY = 3_000;
const malformed = frame(requestTypes.LSTAT, Buffer.of(255, 255));

/** Mounts of its own with a /dev whose log is elsewhere. */
const withLog = (socket: string): readonly string[] => [
  'unshare',
  '--mount',
  '--propagation',
  'private',
  'sh',
  '-ec',
  `mount -t tmpfs tmpfs /mnt
for name in null zero full random urandom tty; do cp -a /dev/$name /mnt/; done
ln -s "$1" /mnt/log
mount --bind /mnt /dev
shift
exec "$@"`,
  'sh',
  socket,
];

class SyslogDaemon {
  readonly path = join(exportForTest(), 'log');
  #socket = bindDatagrams(this.path);

  constructor() {
    onTestFinished(() => {
      this.end();
    });
  }

  /** What has come. */
  read(): string[] {
    const lines: string[] = [];
    for (let line = receiveDatagram(this.#socket); line !== undefined; line = receiveDatagram(this.#socket))
      lines.push(line);
    return lines;
  }

  end(): void {
    if (this.#socket >= 0) closeSync(this.#socket);
    this.#socket = -1;
  }

  beginAgain(): void {
    rmSync(this.path);
    this.#socket = bindDatagrams(this.path);
  }
}

interface Background {
  readonly pid: number;
  readonly path: string;
  readonly control: string;
}

function start(syslog: SyslogDaemon, args: readonly string[] = []): Background {
  const control = controlPathForTest();
  const path = join(control, '..', 'socket');
  const pidfile = join(control, '..', 'pid');
  const own = ['-p', exportForTest(), '-s', path, '--control', control, '--pidfile', pidfile, ...args];
  const [command, all] = commandLine(OURS, own);
  const [program = '', ...rest] = [...withLog(syslog.path), command, ...all];
  const { status, stderr } = spawnSync(program, rest, { encoding: 'utf8', timeout: 20_000 });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const pid = Number(spawnSync('cat', [pidfile], { encoding: 'utf8' }).stdout);
  onTestFinished(() => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it has ended
    }
  });
  return { pid, path, control };
}

function connect(path: string): WireClient {
  const client = WireClient.connect(path);
  onTestFinished(() => {
    client.close();
  });
  return client;
}

async function expectStop(pid: number): Promise<void> {
  process.kill(pid, 'SIGTERM');
  const isThere = (): boolean => spawnSync('kill', ['-0', String(pid)]).status === 0;
  await expect.poll(isThere, { timeout: 5_000 }).toBe(false);
}

describe.skipIf(skipped !== undefined)('syslog', { timeout: 60_000 }, () => {
  it('gets each line with its priority, the program and the pid', async () => {
    const syslog = new SyslogDaemon();
    const { pid, path } = start(syslog);
    const client = connect(path);
    client.request(malformed);
    expect(syslog.read()).toEqual([
      expect.stringMatching(`^<30>virtfs-proxy-helper\\[${pid}\\]: info: serving a client \\(export=`),
      `<28>virtfs-proxy-helper[${pid}]: warn: refused a malformed request (request=lstat, error=ENOBUFS)`,
    ]);
    await expectStop(pid);
  });

  it('that does not read loses lines, which are counted and told', async () => {
    const syslog = new SyslogDaemon();
    const { pid, path, control } = start(syslog, ['--log-level', 'trace']);
    const client = connect(path);
    for (let request = 0; request < MANY; request++)
      expect(client.request(requests.lstat('/')).errno).toBe(0);
    const { logLinesLost } = statusJson(control);
    expect(logLinesLost).toBeGreaterThan(0);
    expect(syslog.read().length + logLinesLost).toBe(MANY + 1);
    client.request(requests.lstat('/'));
    expect(syslog.read()).toEqual([
      `<28>virtfs-proxy-helper[${pid}]: warn: ${logLinesLost} lines were lost`,
      expect.stringContaining('trace: lstat'),
    ]);
    await expectStop(pid);
  });

  it('that is gone keeps a helper from nothing, and a new one is not looked for in the export', async () => {
    const syslog = new SyslogDaemon();
    const { pid, path, control } = start(syslog);
    const client = connect(path);
    client.request(requests.lstat('/'));
    syslog.end();
    for (let request = 0; request < 20; request++) expect(client.request(malformed).errno).toBe(105);
    expect(statusJson(control).logLinesLost).toBe(10);
    syslog.beginAgain();
    process.kill(pid, 'SIGUSR1');
    await expect.poll(() => statusJson(control).logLinesLost).toBe(11);
    await expectStop(pid);
  });

  it('that was started anew is found by a listener', async () => {
    const syslog = new SyslogDaemon();
    const { pid, path } = start(syslog, ['--keep-listening']);
    syslog.end();
    const client = connect(path);
    client.send(frame(99));
    expect(client.atEnd()).toBe(true);
    syslog.beginAgain();
    const next = connect(path);
    expect(next.request(requests.lstat('/')).errno).toBe(0);
    next.send(frame(99));
    const lines: string[] = [];
    const failed = (): boolean => {
      lines.push(...syslog.read());
      return lines.some((line) => line.includes(']: warn: the session of a client failed (client=2'));
    };
    await expect.poll(failed, { timeout: 10_000 }).toBe(true);
    await expectStop(pid);
  });
});
