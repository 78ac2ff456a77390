/** What systemd's journal takes as the priority of a line: sd-daemon(3). */
import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { commandLine, OURS, whyNotRoot } from '../../harness/helper-process.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';

const skipped = whyNotRoot();

/** What is on stderr after a session of these frames, when JOURNAL_STREAM says what `stream` makes of the file. */
function logged(
  args: readonly string[],
  stream: (file: { dev: bigint; ino: bigint }) => string,
  frames: readonly Buffer[] = [],
): string[] {
  const path = join(exportForTest(), 'stderr');
  const stderr = openSync(path, 'a');
  const { client, peer } = WireClient.pair();
  onTestFinished(() => {
    closeSync(stderr);
    client.close();
  });
  for (const bytes of frames) client.send(bytes);
  client.finishSending();
  const [command, all] = commandLine(OURS, args);
  spawnSync(command, all, {
    stdio: ['ignore', 'ignore', stderr, peer],
    env: { ...process.env, JOURNAL_STREAM: stream(fstatSync(stderr, { bigint: true })) },
    timeout: 10_000,
  });
  closeSync(peer);
  return readFileSync(path, 'utf8').trimEnd().split('\n');
}

const own = ({ dev, ino }: { dev: bigint; ino: bigint }): string => `${dev}:${ino}`;

describe.skipIf(skipped !== undefined)('lines for the journal', () => {
  const serve = (...more: string[]): string[] => ['-n', '-p', exportForTest(), '-f', '3', ...more];

  it('have their priority in front, each one line, as text and as JSON', () => {
    const frames = [requests.lstat('/'), Buffer.alloc(8, 0xee)];
    const text = logged(serve('--log-level', 'trace'), own, frames);
    expect(text).toEqual([
      expect.stringMatching(/^<6>info: serving a client \(export=/),
      '<7>trace: lstat "/" = 0',
      expect.stringMatching(/^<3>error: protocol violation: /),
    ]);
    const json = logged(serve('--log-format', 'json'), own, frames);
    expect(json.map((line) => line.slice(0, 3))).toEqual(['<6>', '<3>']);
    expect(json.map((line) => (JSON.parse(line.slice(3)) as { level: string }).level)).toEqual([
      'info',
      'error',
    ]);
  });

  it('have it when the start fails, too', () => {
    expect(logged(['-n', '-p', '/nosuchdir', '-f', '3'], own)).toEqual([
      expect.stringMatching(/^<3>virtfs-proxy-helper: cannot export \/nosuchdir: /),
    ]);
    expect(logged(['--bogus'], own)).toEqual([
      expect.stringMatching(/^<3>virtfs-proxy-helper: unknown option /),
    ]);
  });

  it('have none when the variable is that of another process', () => {
    const lines = logged(serve(), ({ dev, ino }) => `${dev}:${ino + 1n}`);
    expect(lines[0]).toMatch(/^info: serving a client/);
  });
});
