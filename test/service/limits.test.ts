/** Limits that an operator sets: who may connect, and how many files may be open. */
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { connectAs } from '../../harness/connect-as.js';
import { helperForTest, sessionForTest, whyNotRoot } from '../../harness/helper-process.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';

const skipped = whyNotRoot();

describe.skipIf(skipped !== undefined)('--allow-uid', () => {
  it.each([
    ['1001', 'served'],
    ['1002', 'served'],
    ['1003', 'refused'],
  ])('has user %s %s', async (user, expected) => {
    const directory = exportForTest();
    chmodSync(directory, 0o755);
    const path = join(directory, 'socket');
    const allow = ['--allow-uid', '1001', '--allow-uid', '1002'];
    helperForTest(['-n', '-p', directory, '-s', path, '-u', '1000', ...allow]);
    for (let tries = 0; tries < 500 && !existsSync(path); tries++) await wait(10);
    chmodSync(path, 0o777);
    expect(connectAs(Number(user), path)).toBe(expected);
  });

  it('counts for an inherited, connected socket, too', async () => {
    const { client, helper } = sessionForTest(exportForTest(), {
      args: ['--allow-uid', '1001'],
      // the other end belongs to whoever made the pair, here root, who always may
    });
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    client.close();
    expect((await helper.exit()).status).toBe(0);
  });

  it('names the option when there is no such user', async () => {
    const { status, stderr } = await helperForTest([
      '-p',
      '/',
      '-s',
      '/nowhere/s',
      '--allow-uid',
      'nobody-at-all',
    ]).exit();
    expect([status, stderr]).toEqual([
      2,
      expect.stringContaining('--allow-uid nobody-at-all: there is no such user'),
    ]);
  });
});

describe.skipIf(skipped !== undefined)('--rlimit-nofile', () => {
  const limits = (pid: number): string[] | undefined =>
    /^Max open files\s+(\d+)\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.slice(1, 3);

  it('is the limit of the process that serves, soft and hard', () => {
    const { client, helper } = sessionForTest(exportForTest(), { args: ['--rlimit-nofile', '100'] });
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    expect(limits(helper.pid)).toEqual(['100', '100']);
  });

  it('is refused above the hard limit, which is told', async () => {
    const helper = helperForTest(['-n', '-p', '/', '-f', '3', '--rlimit-nofile', '4097'], {
      wrapper: ['prlimit', '--nofile=1024:4096'],
    });
    const { status, stderr } = await helper.exit();
    expect([status, stderr]).toEqual([2, expect.stringContaining('above the hard limit of 4096')]);
    expect(stderr).toMatch(/^virtfs-proxy-helper: [^\n]+\n$/);
  });
});
