/** The commands of the page on operations that ask a helper what it does are the ones that work. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { helperNode } from '../../harness/guest/helper.js';
import { shellBlocks } from '../../harness/documented.js';
import { OURS, whyNotRoot } from '../../harness/helper-process.js';
import { requests } from '../../harness/requests.js';
import { controlPathForTest } from '../../harness/status-command.js';
import { exportForTest } from '../../harness/tree.js';
import { WireClient } from '../../harness/wire-client.js';

const skipped = whyNotRoot();

function command(part: string): string {
  const block = shellBlocks('docs/operations.md').find((text) => text.includes(part));
  if (block === undefined) throw new Error(`docs/operations.md has no command with ${part}`);
  return block;
}

describe.skipIf(skipped !== undefined)('the page on operations', () => {
  it('shows how to see what a helper does', () => {
    const run = join(controlPathForTest(), '..');
    const directory = exportForTest();
    const bin = join(run, 'bin');
    const sockets = join(run, 'instances', 'vm1');
    const metrics = join(run, 'metrics');
    for (const made of [bin, sockets, metrics]) mkdirSync(made, { recursive: true });
    const program = join(bin, 'virtfs-proxy-helper');
    writeFileSync(program, `#!/bin/sh\nexec '${helperNode}' '${OURS}' "$@"\n`, { mode: 0o755 });
    symlinkSync(join(run, '9p.control'), join(sockets, 'socket'));

    /** Runs what the page says, elsewhere, and gives what it printed. */
    const type = (part: string): string => {
      const text = command(part)
        .replaceAll('/run/virtfs-proxy-helper-control', join(run, 'instances'))
        .replaceAll('/run/', `${run}/`)
        .replaceAll('/srv/share', directory)
        .replaceAll('/var/lib/prometheus/node-exporter', metrics);
      const env = { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` };
      const { status, stdout, stderr } = spawnSync('sh', ['-ec', text], { env, encoding: 'utf8' });
      expect([status, stderr]).toEqual([0, '']);
      return stdout;
    };

    type('--socket /run/9p.sock --control /run/9p.control');
    const client = WireClient.connect(join(run, '9p.sock'));
    onTestFinished(() => {
      client.close();
    });
    for (let turn = 0; turn < 7; turn++) client.request(requests.lstat('/'));
    expect(type('status /run/9p.control')).toMatch(/^lstat +7 +0 /m);
    expect(type('status --json')).toBe('7\n');
    type('--openmetrics');
    expect(readFileSync(join(metrics, 'virtfs.prom'), 'utf8')).toContain('operation="lstat"} 7\n');
    // it logs to syslog, which is not everywhere, but goes on
    type('kill -USR1');
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    expect(command('--log-level trace')).toContain('--nodaemon');
  });
});
