/** SIGUSR1: one line of counters, whenever it comes, and never Node's debugger. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { sessionForTest, whyNotRoot } from '../../harness/helper-process.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';

const skipped = whyNotRoot();

/** The ports on which a process listens: proc_net(5), tcp. */
function ports(pid: number): string[] {
  const inodes = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
    } catch {
      return undefined;
    }
  });
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/net/${table}`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, , , , , , inode]) => state === '0A' && inodes.includes(inode))
      .map(([, address]) => String(address)),
  );
}

describe.skipIf(skipped !== undefined)('SIGUSR1', () => {
  it('logs the counters on one line, as text', async () => {
    const { client, helper } = sessionForTest(exportForTest());
    for (let turn = 0; turn < 3; turn++) client.request(requests.lstat('/'));
    client.request(requests.lstat('/missing'));
    client.request(requests.statfs('/'));
    helper.child.kill('SIGUSR1');
    await expect.poll(() => helper.stderr(), { timeout: 5_000 }).toContain('statistics');
    const [line = '', ...others] = helper
      .stderr()
      .split('\n')
      .filter((text) => text.includes('statistics'));
    expect(others).toEqual([]);
    expect(line).toMatch(/^info: statistics \(uptime=[\d.]+, client=\d+, requests=5, errors=1, /);
    expect(line).toMatch(/operations=\{"lstat":\{"requests":4,"errors":1,"p50":\d+,.*"statfs":/);
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    expect(ports(helper.pid)).toEqual([]);
  });

  it('logs the counters as fields of JSON', async () => {
    const { client, helper } = sessionForTest(exportForTest(), { args: ['--log-format', 'json'] });
    client.request(requests.lstat('/'));
    helper.child.kill('SIGUSR1');
    await expect.poll(() => helper.stderr(), { timeout: 5_000 }).toContain('statistics');
    const line = helper
      .stderr()
      .split('\n')
      .find((text) => text.includes('statistics'));
    expect(JSON.parse(line ?? '')).toMatchObject({
      level: 'info',
      client: process.pid,
      requests: 1,
      errors: 0,
      bytesSent: 124,
      descriptorsPassed: 0,
      operations: { lstat: { requests: 1, errors: 0 } },
    });
  });

  it('comes through under constant load', () => {
    const { client, helper } = sessionForTest(exportForTest());
    client.request(requests.lstat('/'));
    helper.child.kill('SIGUSR1');
    const until = Date.now() + 5_000;
    while (Date.now() < until && !helper.stderr().includes('statistics')) client.request(requests.lstat('/'));
    expect(helper.stderr()).toContain('statistics');
  });

  // What comes before a program's first line either ends it or has Node open the port: that cannot be kept from it.
  it.each(['kill', 'none'])(
    'leaves no debugger open that it started in the serving program, with --seccomp %s',
    async (seccomp) => {
      let opened = 0;
      for (let delay = 4; opened === 0 && delay < 400; delay += 4) {
        const { client, helper } = sessionForTest(exportForTest(), { args: ['--seccomp', seccomp] });
        const commandLine = `/proc/${helper.pid}/cmdline`;
        while (!readFileSync(commandLine, 'latin1').includes('serve.js')) await wait(1);
        await wait(delay);
        helper.child.kill('SIGUSR1');
        const served = ((): boolean => {
          try {
            return client.request(requests.lstat('/')).errno === 0;
          } catch {
            return false;
          }
        })();
        if (served && helper.stderr().includes('Debugger listening')) {
          opened++;
          await wait(20);
          expect(client.request(requests.lstat('/')).errno).toBe(0);
          expect(ports(helper.pid)).toEqual([]);
        }
        await helper.stop();
      }
      expect(opened).toBe(1);
    },
  );
});
