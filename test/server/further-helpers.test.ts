/** The socket through which a server gets further helpers, and what somebody who has taken over the server can do with it. */
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { FurtherHelpers } from '../../src/run/further-helpers.js';
import { Restarts } from '../../src/run/restarts.js';
import { Replacements } from '../../src/server/helper-client/replacements.js';
import { DescriptorSender } from '../../src/syscalls/descriptor-messages.js';
import { addressOf } from '../../src/syscalls/libc.js';
import { stableMemory } from '../../src/syscalls/memory.js';
import { send } from '../../src/syscalls/sockets.js';
import { isFile } from './peer.js';

const { EPIPE } = constants.errno;
const file = new URL(import.meta.url).pathname;

function channelForTest(): FurtherHelpers {
  const channel = new FurtherHelpers();
  onTestFinished(() => {
    channel.close();
  });
  return channel;
}

describe('the way of further helpers to a server', () => {
  it('passes one connection after the other, also those that came before anybody looked', async () => {
    const channel = channelForTest();
    const descriptor = openSync(file, 'r');
    expect([channel.pass(descriptor), channel.pass(descriptor)]).toEqual([true, true]);
    const came: number[] = [];
    const ended = vi.fn();
    new Replacements(channel.theirs, { came: (socket) => came.push(socket), ended });
    await vi.waitUntil(() => came.length === 2);
    channel.pass(descriptor);
    closeSync(descriptor);
    await vi.waitUntil(() => came.length === 3);
    expect(came.map((socket) => isFile(socket, file))).toEqual([true, true, true]);
    expect(ended).not.toHaveBeenCalled();
    channel.close();
    await vi.waitUntil(() => ended.mock.calls.length > 0);
    expect(channel.pass(came[0]!)).toBe(false);
    for (const socket of came) closeSync(socket);
  });

  it('takes nothing from the server: no byte and no descriptor', () => {
    const channel = channelForTest();
    const memory = stableMemory(1);
    const descriptor = openSync(file, 'r');
    expect(new DescriptorSender().send(channel.theirs, addressOf(memory), 1, descriptor)).toBe(-EPIPE);
    expect(send(channel.theirs, memory, 1)).toBe(-EPIPE);
    closeSync(descriptor);
    closeSync(channel.theirs);
  });

  it('says so when the server takes no more, and waits for nobody', () => {
    const channel = channelForTest();
    const descriptor = openSync(file, 'r');
    let passed = 0;
    while (channel.pass(descriptor)) passed++;
    expect(passed).toBeGreaterThan(4);
    closeSync(channel.theirs);
    expect(channel.pass(descriptor)).toBe(false);
    closeSync(descriptor);
  });
});

describe('restarts of a helper', () => {
  it('come at once, then later and later, and not too often within a minute', () => {
    const restarts = new Restarts(6);
    expect(Array.from({ length: 7 }, () => restarts.next(0))).toEqual([
      0,
      100,
      200,
      400,
      800,
      1000,
      undefined,
    ]);
    expect([restarts.next(59_999), restarts.next(60_000)]).toEqual([undefined, 0]);
    expect(new Restarts(0).next(0)).toBeUndefined();
  });
});
