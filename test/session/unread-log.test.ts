/** A log that nobody takes loses lines, which are counted, and keeps the helper from nothing. */
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { helperForTest, type HelperProcess, whyNotRoot } from '../../harness/helper-process.js';
import { frame, requests, requestTypes } from '../../harness/requests.js';
import { controlPathForTest, status, statusJson } from '../../harness/status-command.js';
import { exportForTest } from '../../harness/tree.js';
import { unreadOutputs } from '../../harness/unread-output.js';
import { WireClient } from '../../harness/wire-client.js';
import { patience } from '../../harness/patience.js';

const skipped = whyNotRoot();
const outputs = Object.keys(unreadOutputs);
/** More lines of each kind than the limit on refusals. */
const REFUSED = 30;
const STOP_MS = 5_000 * patience;
const malformed = frame(requestTypes.LSTAT, Buffer.of(255, 255));
const onDescriptor = (descriptor: number): readonly string[] => [
  'sh',
  '-c',
  `exec "$@" 2>&${descriptor} ${descriptor}>&-`,
  'sh',
];

function closedLater(client: WireClient): WireClient {
  onTestFinished(() => {
    client.close();
  });
  return client;
}

/** A helper that logs to a descriptor of this process, which is closed here. */
function start(
  stderr: number,
  args: readonly string[] = [],
): { client: WireClient; helper: HelperProcess; control: string } {
  const { client, peer } = WireClient.pair();
  closedLater(client);
  const control = controlPathForTest();
  const helper = helperForTest(['-n', '-p', exportForTest(), '-f', '3', '--control', control, ...args], {
    inherit: [peer, stderr],
    wrapper: onDescriptor(4),
  });
  return { client, helper, control };
}

async function expectStop(helper: HelperProcess): Promise<void> {
  helper.child.kill('SIGTERM');
  expect(await helper.exit(STOP_MS)).toMatchObject({ status: 0, signal: null });
}

async function untilExists(path: string): Promise<void> {
  await expect.poll(() => existsSync(path), { timeout: 10_000 }).toBe(true);
}

describe.skipIf(skipped !== undefined)('a log that goes to', { timeout: 60_000 }, () => {
  it.each(outputs)('%s keeps the helper from nothing', async (name) => {
    const { descriptor } = unreadOutputs[name]!();
    const { client, helper, control } = start(descriptor);
    for (let request = 0; request < REFUSED; request++) {
      expect(client.request(malformed).errno).toBe(105);
      expect(client.request(requests.lstat('/')).errno).toBe(0);
    }
    helper.child.kill('SIGUSR1');
    const lost = (): number => statusJson(control).logLinesLost;
    // the start of the session, ten refusals, the statistics
    await expect.poll(lost).toBe(12);
    expect(status([control]).stdout).toContain('log: 12 lines lost');
    expect(status(['--openmetrics', control]).stdout).toMatch(/_log_lines_lost_total\{.*\} 12\n/);
    await expectStop(helper);
  });

  it.each(outputs)('%s may have every request on it, which go on', async (name) => {
    const { descriptor } = unreadOutputs[name]!();
    const { client, helper, control } = start(descriptor, ['--log-level', 'trace']);
    for (let request = 0; request < 2_000; request++)
      expect(client.request(requests.lstat('/')).errno).toBe(0);
    expect(statusJson(control).logLinesLost).toBeGreaterThanOrEqual(2_000);
    await expectStop(helper);
  });

  it.each(outputs.flatMap((name) => (['text', 'json'] as const).map((format) => [name, format] as const)))(
    '%s tells what was lost when it is read again, as %s',
    async (name, format) => {
      const { descriptor, read } = unreadOutputs[name]!();
      if (read === undefined) {
        closeSync(descriptor);
        return;
      }
      const { client, helper, control } = start(descriptor, ['--log-format', format]);
      for (let request = 0; request < 3; request++) client.request(malformed);
      expect(statusJson(control).logLinesLost).toBe(4);
      read();
      helper.child.kill('SIGUSR1');
      let text = '';
      await expect.poll(() => (text += read()), { timeout: 10_000 }).toMatch(/statistics[^]*\n/);
      const lines = text.replaceAll('\0', '').trim().split(/\r?\n/);
      if (format === 'text') expect(lines[0]).toBe('warn: 4 lines were lost');
      else
        expect(JSON.parse(lines[0]!)).toMatchObject({
          level: 'warn',
          msg: '4 lines were lost',
          pid: helper.pid,
        });
      expect(lines).toHaveLength(2);
      expect(statusJson(control).logLinesLost).toBe(4);
      await expectStop(helper);
    },
  );

  it.each(outputs)('%s lets a start fail with the status that tells', async (name) => {
    for (const [args, expected] of [
      [['--bogus'], 2],
      [['-n', '-p', '/nowhere', '-s', '/nowhere/socket'], 1],
    ] as const) {
      const { descriptor } = unreadOutputs[name]!();
      const helper = helperForTest([...args], { inherit: [descriptor], wrapper: onDescriptor(3) });
      expect((await helper.exit()).status).toBe(expected);
    }
  });

  it.each(outputs)('%s ends no listener', async (name) => {
    const { descriptor } = unreadOutputs[name]!();
    const path = join(exportForTest(), 'socket');
    const helper = helperForTest(['-n', '-p', exportForTest(), '-s', path, '--keep-listening'], {
      inherit: [descriptor],
      wrapper: onDescriptor(3),
    });
    await untilExists(path);
    for (let turn = 0; turn < 2; turn++) {
      const client = closedLater(WireClient.connect(path));
      expect(client.request(requests.lstat('/')).errno).toBe(0);
      for (let request = 0; request < REFUSED; request++) expect(client.request(malformed).errno).toBe(105);
      // the listener logs that this session failed
      client.send(frame(99));
      expect(client.atEnd()).toBe(true);
    }
    await expectStop(helper);
  });
});

describe.skipIf(skipped !== undefined)('a guest that fills the disk on which the log is', () => {
  it('is served on, and the log goes on when there is room', async () => {
    const disk = exportForTest();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
    onTestFinished(() => {
      execFileSync('umount', ['--lazy', disk]);
    });
    const [share, log] = [join(disk, 'share'), join(disk, 'log')];
    mkdirSync(share);
    const { client, peer } = WireClient.pair();
    closedLater(client);
    const control = controlPathForTest();
    const helper = helperForTest(['-n', '-p', share, '-f', '3', '--control', control], {
      inherit: [peer],
      wrapper: ['sh', '-c', 'log=$1; shift; exec "$@" 2>>"$log"', 'sh', log],
    });
    client.request(requests.lstat('/'));
    const { descriptor } = client.request(requests.create('/full', 0x42, 0o644, { uid: 0, gid: 0 }));
    expect(() => {
      writeFileSync(descriptor!, Buffer.alloc(65_536));
    }).toThrow('ENOSPC');
    closeSync(descriptor!);
    // fills up the log's last page
    const until = (lost: number): void => {
      while (statusJson(control).logLinesLost < lost) helper.child.kill('SIGUSR1');
    };
    until(3);
    for (let request = 0; request < REFUSED; request++) expect(client.request(malformed).errno).toBe(105);
    expect(statusJson(control).logLinesLost).toBeGreaterThanOrEqual(13);
    expect(client.request(requests.truncate('/full', 0)).errno).toBe(0);
    helper.child.kill('SIGUSR1');
    const text = (): string => readFileSync(log, 'utf8');
    // a short line may find room where others do not, and tell of a part; what was cut is a line of its own
    const told = (): number =>
      [...text().matchAll(/^warn: (\d+) lines? (?:was|were) lost$/gm)].reduce(
        (sum, [, n]) => sum + Number(n),
        0,
      );
    await expect.poll(() => told() - statusJson(control).logLinesLost, { timeout: 10_000 }).toBe(0);
    await expectStop(helper);
    truncateSync(log);
  });
});
