/** The programs in examples/ work as they stand, with the stand-in for QEMU and on real helpers. */
import { spawnSync } from 'node:child_process';
import { chmodSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { OURS, whyNotRoot } from '../../harness/helper-process.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { emulator, RunProcess } from '../../harness/run-process.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of the examples skipped: ${skipped}`);

const example = (name: string): string => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));

/** With the helper under its name in PATH. */
function environment(): NodeJS.ProcessEnv {
  const bin = exportForTest();
  chmodSync(OURS, 0o755);
  symlinkSync(OURS, join(bin, 'virtfs-proxy-helper'));
  return { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}`, QEMU: emulator };
}

describe.skipIf(skipped !== undefined).each([
  ['orchestrator.mjs', process.execPath],
  ['orchestrator.py', 'python3'],
  ['orchestrator.sh', 'sh'],
])('the example %s', (name, interpreter) => {
  it('gives QEMU a connection to the helper, its other words, and ends with both', async () => {
    const directory = exportForTest();
    const run = new RunProcess([interpreter, example(name), directory, '-m', '256'], { env: environment() });
    const { arguments: words, descriptors } = await run.described();
    const descriptor = Number(/^proxy,id=fs0,sock_fd=(\d+)$/.exec(words[1] ?? '')?.[1]);
    expect(words.slice(-2)).toEqual(['-m', '256']);
    // Node hands on what it inherited itself with high numbers, from whoever runs the tests
    expect(descriptors.filter((number) => number < 100)).toEqual([0, 1, 2, descriptor]);
    const owner = { uid: 7, gid: 8 };
    expect(await run.request(descriptor, requests.mkdir(owner, '/made', 0o755))).toBe(0);
    expect(await run.request(descriptor, requests.lstat('/made'))).toBe(0);
    run.say('exit 9');
    expect((await run.end()).status).toBe(9);
    expect(run.stderr).toBe('');
  });

  it('does not start QEMU when the helper does not start, and says why', () => {
    const { status, stdout, stderr } = spawnSync(interpreter, [example(name), '/nonexistent'], {
      env: environment(),
      encoding: 'utf8',
    });
    expect(stderr).toContain('cannot export /nonexistent: no such file or directory (ENOENT)');
    expect(status).toBe(1);
    expect(stdout).toBe('');
  });
});
