/** What code that has taken over a helper can do to the files of the host that the helper has open. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { commandLine, OURS, whyNotRoot } from '../support/helper-process.js';
import { patience } from '../support/patience.js';
import { requests } from '../support/requests.js';
import { exportForTest } from '../support/tree.js';
import { WireClient } from '../support/wire-client.js';
import type { Attack } from './programs/taken-over.js';

const skipped = whyNotRoot();
const suffix = skipped === undefined ? '' : ` (${skipped})`;
const { EROFS } = constants.errno;
const WAIT = { timeout: 10_000 * patience, interval: 20 };

/** NODE_OPTIONS that have a helper taken over. */
let takenOver = '';
beforeAll(() => {
  const directory = mkdtempSync(join(tmpdir(), 'taken-over-'));
  const program = join(directory, 'taken-over.cjs');
  buildSync({
    entryPoints: [fileURLToPath(new URL('programs/taken-over.ts', import.meta.url))],
    define: { REPOSITORY: JSON.stringify(fileURLToPath(new URL('../../package.json', import.meta.url))) },
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'cjs',
  });
  takenOver = `--require ${program}`;
  return () => {
    rmSync(directory, { recursive: true });
  };
});

interface Started {
  readonly pid: number;
  readonly client: WireClient;
}

/** A helper whose standard descriptors are all /dev/null. */
function helper(args: readonly string[], wrapper: readonly string[] = []): Started {
  const { client, peer } = WireClient.pair();
  const [command, commandArgs] = commandLine(OURS, ['-n', '-f', '3', ...args]);
  const [first = command, ...rest] = [...wrapper, command, ...commandArgs];
  const env = { ...process.env, NODE_OPTIONS: takenOver };
  const child = spawn(first, rest, { stdio: ['ignore', 'ignore', 'ignore', peer], env });
  closeSync(peer);
  onTestFinished(async () => {
    client.close();
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });
  expect(client.request(requests.lstat('/')).errno).toBe(0);
  return { pid: child.pid!, client };
}

async function attackIn(directory: string): Promise<Attack> {
  writeFileSync(join(directory, 'attack'), '');
  return vi.waitFor(() => {
    const text = readFileSync(join(directory, 'result'), 'utf8');
    expect(text.endsWith('\n')).toBe(true);
    return JSON.parse(text) as Attack;
  }, WAIT);
}

/** Device and inode, as the program has them. */
function fileOf(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true });
  const [major, minor] = [(dev >> 8n) & 0xfffn, (dev & 0xffn) | ((dev >> 12n) & 0xfff00n)];
  return `${major}:${minor}:${ino}`;
}

const isLocked = (path: string): boolean => spawnSync('flock', ['--nonblock', path, 'true']).status === 1;

describe.skipIf(skipped !== undefined)(`code in a helper that was taken over${suffix}`, () => {
  it('can neither write to the pidfile nor change its mode, nor those of its other files', async () => {
    const directory = exportForTest();
    const pidfile = join(exportForTest(), 'pid');
    const { pid } = helper(['-p', directory, '--pidfile', pidfile]);
    const { reopened } = await attackIn(directory);
    const files = reopened.filter(({ type }) => type === 'file');
    // the other one tells what is served
    expect(files.map(({ file }) => file === fileOf(pidfile)).sort()).toEqual([false, true]);
    const all = { chmod: EROFS, openForWriting: EROFS };
    for (const file of files) expect(file).toMatchObject(all);
    expect(readFileSync(pidfile, 'utf8')).toBe(`${pid}\n`);
    expect(isLocked(pidfile)).toBe(true);
  });
});
