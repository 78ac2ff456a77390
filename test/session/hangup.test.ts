/** What keeps a helper when the terminal or the shell that started it goes, as docs/operations.md has it. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { shellBlocks } from '../../harness/documented.js';
import { commandLine, OURS, whyNotRoot } from '../../harness/helper-process.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of hang-ups skipped: ${skipped}`);

const [program, script] = commandLine(OURS, []);

/** A shell's process group with a helper, of which the given words are in front, and the client that it serves. */
async function started(words: string): Promise<{ group: number; client: WireClient }> {
  const directory = exportForTest();
  const path = join(directory, 'socket');
  const text = words
    .replaceAll('virtfs-proxy-helper', [program, ...script].map((word) => `'${word}'`).join(' '))
    .replaceAll('/srv/share', directory)
    .replaceAll('/run/9p.sock', path)
    .replaceAll('/var/log/9p.log', '/dev/null');
  const shell = spawn('sh', ['-c', `${text}\nsleep 30`], { detached: true, stdio: 'ignore' });
  const group = shell.pid!;
  await expect.poll(() => existsSync(path), { timeout: 15_000 }).toBe(true);
  const client = WireClient.connect(path);
  expect(client.request(requests.lstat('/')).errno).toBe(0);
  onTestFinished(() => {
    client.close();
    shell.kill('SIGKILL');
  });
  return { group, client };
}

describe.skipIf(skipped !== undefined)('a hang-up and an interrupt of the process group', () => {
  const documented = shellBlocks('docs/operations.md').find((block) => block.includes('setsid ')) ?? '';

  it.each([
    ['in a session of its own, as documented', documented],
    ['in the background', 'virtfs-proxy-helper --path /srv/share --socket /run/9p.sock'],
  ])('leave a helper %s', async (_how, words) => {
    expect(words).toContain('--socket');
    const { group, client } = await started(words);
    for (const signal of ['SIGHUP', 'SIGINT'] as const) {
      try {
        process.kill(-group, signal);
      } catch {
        // the shell ended with the first one
      }
      await wait(100);
      expect(client.request(requests.lstat('/')).errno).toBe(0);
    }
  });

  it('end one that was only started with nohup: Node takes signals back that are ignored, as documented', async () => {
    const { group, client } = await started(
      'nohup virtfs-proxy-helper --nodaemon --path /srv/share --socket /run/9p.sock &',
    );
    process.kill(-group, 'SIGHUP');
    expect(client.atEnd()).toBe(true);
    expect(readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')).toMatch(
      /`nohup` does not/,
    );
  });
});
