import { constants as fsConstants } from 'node:fs';
import { constants } from 'node:os';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { HelperProcess, whyNotRoot } from '../../harness/helper-process.js';
import { socketpair } from '../../harness/libc.js';
import { openDescriptors, path, started } from './started-client.js';

const { EIO } = constants.errno;
const { O_RDONLY } = fsConstants;

describe.skipIf(whyNotRoot() !== undefined)('the client of a helper that is gone or slow', () => {
  it('answers EIO for everything when the helper is killed, and says so once', async () => {
    const { client, helper, lost } = started();
    const before = openDescriptors();
    await client.request('lstat', path('file'));
    helper.child.kill('SIGSTOP');
    const asked = Array.from({ length: 50 }, () =>
      client.request('open', { ...path('file'), flags: O_RDONLY }),
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
    helper.child.kill('SIGKILL');
    expect(new Set(await Promise.all(asked))).toEqual(new Set([-EIO]));
    expect(lost).toHaveLength(1);
    expect(await client.request('lstat', path('file'))).toBe(-EIO);
    expect(openDescriptors()).toBe(before - 1);
  });

  it('notices a helper that ends while nothing is asked', async () => {
    const { client, helper, lost } = started();
    await client.request('lstat', path('file'));
    helper.child.kill('SIGKILL');
    await vi.waitUntil(() => lost.length > 0);
    expect(lost).toEqual(['the helper closed the connection']);
  });

  it('goes on with another helper', async () => {
    const [one, other] = [started(), started()];
    one.helper.child.kill('SIGKILL');
    await vi.waitUntil(() => one.lost.length > 0);
    const [ours, theirs] = socketpair();
    const helper = new HelperProcess(['-n', '-p', other.directory, '-f', '3'], { inherit: [theirs] });
    onTestFinished(() => helper.stop());
    one.client.replaceSocket(ours);
    expect(await one.client.request('lstat', path('file'))).toMatchObject({ size: 7 });
    expect(one.lost).toHaveLength(1);
  });

  it('leaves the event loop its turns while a helper is slow', async () => {
    const { client, helper } = started();
    await client.request('lstat', path('file'));
    helper.child.kill('SIGSTOP');
    const asked = client.request('lstat', path('file'));
    let turns = 0;
    const until = Date.now() + 200;
    while (Date.now() < until) {
      await new Promise(setImmediate);
      // what comes on top is sent, but not waited for
      if (turns++ % 100 === 0) void client.request('chmod', { ...path('file'), mode: 0o600 });
    }
    expect(turns).toBeGreaterThan(1000);
    helper.child.kill('SIGCONT');
    expect(await asked).toMatchObject({ size: 7 });
  });
});
