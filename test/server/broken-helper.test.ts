/** What the client makes of a helper that is not one: the test itself is at the other end. */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { describe, expect, it, vi } from 'vitest';
import { frame, string, uint32 } from '../unit/golden-frames.js';
import { isFile, pair, type Peer } from './peer.js';
import { openDescriptors, path } from './started-client.js';

const { EIO, ENOENT } = constants.errno;
const FOLLOWS = uint32(0x7fffffff);
const FLAGS = { flags: 0 };

describe('the client of a broken helper', () => {
  const malformed: Record<string, (peer: Peer) => void> = {
    'a reply of an unknown type': (peer) => {
      peer.send(frame(7, uint32(0)));
    },
    'a reply that is too large': (peer) => {
      peer.send(uint32(0), uint32(65_537));
    },
    'an error without a number': (peer) => {
      peer.send(frame(1, uint32(0)));
    },
    'a success with a descriptor that nobody asked for': (peer) => {
      peer.sendDescriptor('/dev/null', frame(0, uint32(0)));
    },
    'a part of a reply with a descriptor, and then the rest': (peer) => {
      peer.sendDescriptor('/dev/null', frame(0, uint32(0)).subarray(0, 3));
      peer.send(frame(0, uint32(0)).subarray(3));
    },
    'a descriptor with each part of a reply': (peer) => {
      for (const part of [0, 4, 8]) {
        peer.sendDescriptor('/dev/null', frame(0, uint32(0)).subarray(part, part + 4));
      }
    },
    'more replies than were asked for': (peer) => {
      peer.send(frame(0, uint32(0)), frame(0, uint32(0)));
    },
  };

  it.each(Object.keys(malformed))('gives up at %s', async (what) => {
    const { client, peer, lost } = pair();
    const before = openDescriptors();
    const asked = client.request('chmod', { ...path('file'), mode: 0 });
    await peer.received();
    malformed[what]!(peer);
    const after = what.startsWith('more') ? 0 : -EIO;
    expect(await asked).toBe(after);
    await vi.waitUntil(() => lost.length > 0);
    expect(lost).toHaveLength(1);
    expect(await client.request('lstat', path('file'))).toBe(-EIO);
    // its socket is closed, and so is what came
    expect(openDescriptors()).toBe(before - 1);
  });

  it.each([
    ['no descriptor where one is announced', [FOLLOWS]],
    ['a number that is no error', [uint32(5)]],
  ])('gives up at an open file that is %s', async (_what, reply) => {
    const { client, peer, lost } = pair();
    const asked = client.request('open', { ...path('file'), ...FLAGS });
    await peer.received();
    peer.send(...reply);
    expect(await asked).toBe(-EIO);
    expect(lost).toHaveLength(1);
  });

  it('gives up at an error that comes with a descriptor', async () => {
    const { client, peer, lost } = pair();
    const before = openDescriptors();
    const asked = client.request('open', { ...path('file'), ...FLAGS });
    await peer.received();
    peer.sendDescriptor('/dev/null', uint32(-ENOENT));
    expect(await asked).toBe(-EIO);
    expect(lost).toHaveLength(1);
    expect(openDescriptors()).toBe(before - 1);
  });

  it('gives up at what comes while nothing is asked', async () => {
    const { peer, lost } = pair();
    peer.send(frame(0, uint32(0)));
    await vi.waitUntil(() => lost.length > 0);
    expect(lost).toEqual(['the helper answered what nobody asked']);
  });

  it('knows which descriptor belongs to which reply, whatever came before it and in how many pieces', async () => {
    const { client, peer, lost } = pair();
    const ask = { ...path('x'), ...FLAGS };
    const asked = [
      client.request('chmod', { ...path('x'), mode: 0 }),
      client.request('open', ask),
      client.request('open', ask),
      client.request('open', ask),
      client.request('open', ask),
    ];
    await peer.received();
    peer.send(frame(0, uint32(0)), uint32(-ENOENT));
    peer.sendDescriptor('/dev/null', FOLLOWS);
    peer.sendDescriptor('/dev/zero', FOLLOWS.subarray(0, 1));
    await new Promise(setImmediate);
    peer.send(FOLLOWS.subarray(1));
    await new Promise(setImmediate);
    peer.send(FOLLOWS.subarray(0, 2));
    peer.sendDescriptor('/dev/full', FOLLOWS.subarray(2));
    const [status, missing, ...descriptors] = (await Promise.all(asked)) as [
      number,
      number,
      number,
      number,
      number,
    ];
    expect([status, missing]).toEqual([0, -ENOENT]);
    const files = ['/dev/null', '/dev/zero', '/dev/full'];
    expect(descriptors.map((descriptor, index) => isFile(descriptor, files[index]!))).toEqual([
      true,
      true,
      true,
    ]);
    for (const descriptor of descriptors) closeSync(descriptor);
    expect(lost).toEqual([]);
  });

  it('takes replies byte by byte', async () => {
    const { client, peer } = pair();
    const asked = [1, 2, 3].map(() => client.request('readlink', { ...path('x'), size: 100 }));
    await peer.received();
    const replies = Buffer.concat(['a', 'bc', ''].map((target) => frame(0, string(Buffer.from(target)))));
    for (const byte of replies) {
      peer.send(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    expect((await Promise.all(asked)).map((target) => Buffer.from(target as Uint8Array).toString())).toEqual([
      'a',
      'bc',
      '',
    ]);
  });
});
