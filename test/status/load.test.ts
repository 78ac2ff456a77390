/** Those who ask a helper for its status must not be able to hold it up, or to make it grow. */
import { once } from 'node:events';
import { SeqpacketSocket } from 'node-unix-socket';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openDescriptors, pause, residentKib } from '../../harness/process-usage.js';
import { sessionForTest, whyNotRoot } from '../../harness/helper-process.js';
import { requests } from '../../harness/requests.js';
import { attached, sharedForTest } from '../../harness/share-process.js';
import {
  controlPathForTest,
  type HelperCounters,
  pairJson,
  statusJson,
} from '../../harness/status-command.js';
import { exportForTest } from '../../harness/tree.js';

const skipped = whyNotRoot();

/** Connects and hears the answer. */
async function ask(control: string): Promise<HelperCounters> {
  const socket = new SeqpacketSocket();
  const answer = once(socket, 'data') as Promise<[Buffer]>;
  socket.connect(control);
  const [message] = await answer;
  socket.destroy();
  return JSON.parse(message.toString()) as HelperCounters;
}

/** Connects once there is room among those who wait to be answered. */
async function connected(control: string): Promise<SeqpacketSocket> {
  for (;;) {
    const socket = new SeqpacketSocket();
    socket.on('error', () => undefined);
    onTestFinished(() => {
      socket.destroy();
    });
    try {
      socket.connect(control);
      return socket;
    } catch {
      await pause(1);
    }
  }
}

describe.skipIf(skipped !== undefined)('a helper that is asked again and again', () => {
  it('answers in the midst of requests, and has the same descriptors and memory afterwards', async () => {
    const control = controlPathForTest();
    const { client, helper } = sessionForTest(exportForTest(), { args: ['--control', control] });
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    const descriptors = openDescriptors(helper.pid);
    let asked = 1;
    const load = async (times: number): Promise<void> => {
      for (let call = 0; call < times; call++) {
        const answer = ask(control);
        // the helper has to find time for the answer between these
        for (let request = 0; request < 50; request++) client.request(requests.lstat('/'));
        asked += 50;
        expect((await answer).operations['lstat']!.requests).toBeGreaterThanOrEqual(asked - 50);
      }
    };
    await load(100);
    const memory = residentKib(helper.pid);
    await load(100);
    expect((await ask(control)).operations['lstat']!.requests).toBe(asked);
    // the answer may be here before the helper has closed its end
    await expect.poll(() => openDescriptors(helper.pid), { timeout: 5_000 }).toBe(descriptors);
    expect(residentKib(helper.pid) - memory).toBeLessThan(4_096);
  });

  it('does not wait for those who do not read, say anything, or go away at once', async () => {
    const control = controlPathForTest();
    const { client, helper } = sessionForTest(exportForTest(), { args: ['--control', control] });
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    const descriptors = openDescriptors(helper.pid);
    await ask(control);
    for (let turn = 0; turn < 200; turn++) {
      const stays = await connected(control);
      if (turn % 2 === 0) stays.write(Buffer.alloc(10_000, 'x'));
      (await connected(control)).destroy();
      if (turn % 20 === 0) expect(client.request(requests.lstat('/')).errno).toBe(0);
    }
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    expect(statusJson(control).operations['lstat']!.requests).toBe(12);
    await expect.poll(() => openDescriptors(helper.pid), { timeout: 5_000 }).toBe(descriptors);
    expect(helper.stderr()).not.toMatch(/error|warn/);
  });

  it('answers with the other kinds of waiting and confinement as well', async () => {
    const control = controlPathForTest();
    const directory = exportForTest();
    const { client } = sessionForTest(directory, {
      args: ['--control', control, '--readonly', '--seccomp', 'log', '--poll-us', '0'],
    });
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    expect(await ask(control)).toMatchObject({ export: directory, readOnly: true });
  });
});

describe.skipIf(skipped !== undefined)('a 9P server that is asked again and again', () => {
  it('does not wait for 64 who do not read', async () => {
    const control = controlPathForTest();
    const { share, path } = await sharedForTest(`--control=${control}`);
    const client = await attached(path);
    const [server = 0] = share.servers();
    const getattr = async (): Promise<unknown> => client.request('Tgetattr', { fid: 0, mask: 0x7ffn });
    await getattr();
    pairJson(control);
    const descriptors = openDescriptors(server);
    const hostile = async (): Promise<void> => {
      for (let turn = 0; turn < 64; turn++) {
        const socket = await connected(`${control}.9p`);
        if (turn % 2 === 0) socket.write(Buffer.alloc(10_000, 'x'));
        await getattr();
      }
    };
    await hostile();
    const memory = residentKib(server);
    await hostile();
    await getattr();
    expect(pairJson(control).server.messages['Tgetattr']?.requests).toBe(130);
    await expect.poll(() => openDescriptors(server), { timeout: 5_000 }).toBe(descriptors);
    expect(residentKib(server) - memory).toBeLessThan(4_096);
    expect(share.stderr).not.toMatch(/error|warn/);
  });
});
