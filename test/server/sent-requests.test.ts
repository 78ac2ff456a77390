import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { frame, string, uint32 } from '../unit/golden-frames.js';
import { isFile, pair } from './peer.js';
import { path } from './started-client.js';

const { EBADF, ENOENT } = constants.errno;
const FLAGS = { flags: 0 };
const OPEN = (name: string): Buffer => frame(2, string(Buffer.from(`/${name}`)), uint32(0));

describe('descriptors that go to the helper', () => {
  it('come with the first byte of their request', async () => {
    const { client, peer } = pair();
    const [zero, nothing] = [openSync('/dev/zero', 'r'), openSync('/dev/null', 'r')];
    const empty = { path: new Uint8Array() };
    const asked = [
      client.request('open', { ...path('a'), ...FLAGS }),
      client.request('open', { ...empty, ...FLAGS }, zero),
      client.request('open', { ...path('b'), ...FLAGS }),
      client.request('open', { ...empty, ...FLAGS }, nothing),
      client.request('open', { ...path('c'), ...FLAGS }),
    ];
    await new Promise(setImmediate);
    const received: { bytes: Buffer; descriptors: readonly number[] }[] = [];
    for (let part; (part = peer.receive()) !== undefined;) received.push(part);
    const about = frame(2, string(Buffer.alloc(0)), uint32(0));
    // the kernel gives what came before a message with a descriptor together with it
    expect(received.map(({ bytes }) => bytes.toString('hex'))).toEqual(
      [Buffer.concat([OPEN('a'), about, OPEN('b')]), Buffer.concat([about, OPEN('c')])].map((bytes) =>
        bytes.toString('hex'),
      ),
    );
    expect(received.map(({ descriptors }) => descriptors.length)).toEqual([1, 1]);
    const [first, second] = received.map(({ descriptors }) => descriptors[0]!);
    expect([isFile(first!, '/dev/zero'), isFile(second!, '/dev/null')]).toEqual([true, true]);
    for (const descriptor of [first!, second!, zero, nothing]) closeSync(descriptor);
    peer.send(...asked.map(() => uint32(-ENOENT)));
    expect(new Set(await Promise.all(asked))).toEqual(new Set([-ENOENT]));
  });

  it('are few at a time', async () => {
    const { client, peer } = pair();
    const about = { path: new Uint8Array(), mode: 0 };
    const descriptor = openSync('/dev/null', 'r');
    const asked = Array.from({ length: 100 }, () => client.request('chmod', about, descriptor));
    let most = 0;
    for (let answered = 0; answered < 100;) {
      await new Promise(setImmediate);
      let came = 0;
      for (let part; (part = peer.receive()) !== undefined;) {
        came += part.descriptors.length;
        for (const passed of part.descriptors) closeSync(passed);
      }
      peer.send(...Array.from({ length: came }, () => frame(0, uint32(0))));
      answered += came;
      most = Math.max(most, came);
    }
    expect(new Set(await Promise.all(asked))).toEqual(new Set([0]));
    expect(most).toBe(16);
    closeSync(descriptor);
  });

  it('are refused alone when they are none', async () => {
    const { client, peer, lost } = pair();
    const asked = [
      client.request('chmod', { ...path('a'), mode: 0 }),
      client.request('chmod', { path: new Uint8Array(), mode: 0 }, 999_999),
      client.request('chmod', { ...path('b'), mode: 0 }),
    ];
    await peer.received();
    peer.send(frame(0, uint32(0)), frame(0, uint32(0)));
    expect(await Promise.all(asked)).toEqual([0, -EBADF, 0]);
    // also as the only one
    expect(await client.request('chmod', { path: new Uint8Array(), mode: 0 }, 999_999)).toBe(-EBADF);
    expect(lost).toEqual([]);
  });
});

describe('the window', () => {
  it('bounds what is on its way, and lets everything through in order', async () => {
    const { client, peer, lost } = pair();
    const names = Array.from({ length: 40 }, (_, index) =>
      Buffer.alloc(1000 + 1500 * index, 0x61 + (index % 26)),
    );
    const asked = names.map((name) => client.request('chmod', { path: name, mode: 0 }));
    const expected = Buffer.concat(names.map((name) => frame(11, string(name), uint32(0))));
    const received: Buffer[] = [];
    let [unanswered, most, answered] = [0, 0, 0];
    const sizes = names.map(({ length }) => 8 + 2 + length + 4);
    while (answered < names.length) {
      await new Promise(setImmediate);
      for (let part; (part = peer.receive()) !== undefined;) {
        received.push(part.bytes);
        unanswered += part.bytes.length;
      }
      most = Math.max(most, unanswered);
      while (answered < names.length && unanswered >= sizes[answered]!) {
        unanswered -= sizes[answered++]!;
        peer.send(frame(0, uint32(0)));
      }
    }
    await Promise.all(asked);
    expect(Buffer.concat(received).equals(expected)).toBe(true);
    expect(most).toBeLessThanOrEqual(65_536 + 8);
    expect(lost).toEqual([]);
  });

  it('goes on when a socket that took a part of a request takes the rest', async () => {
    // the least that the kernel has
    const { client, peer } = pair(1);
    const name = Buffer.alloc(20_000, 0x62);
    const asked = [1, 2, 3].map(() => client.request('chmod', { path: name, mode: 0 }));
    const expected = Buffer.concat(asked.map(() => frame(11, string(name), uint32(0))));
    const received: Buffer[] = [];
    const length = (): number => received.reduce((bytes, part) => bytes + part.length, 0);
    while (length() < expected.length) received.push(await peer.received());
    expect(received.length).toBeGreaterThan(3);
    expect(Buffer.concat(received).equals(expected)).toBe(true);
    peer.send(...asked.map(() => frame(0, uint32(0))));
    expect(await Promise.all(asked)).toEqual([0, 0, 0]);
  });
});
