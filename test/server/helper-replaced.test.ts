/** What the client asks of a helper that takes another one's place. The test itself is both. */
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { describe, expect, it, vi } from 'vitest';
import { frame, uint32 } from '../unit/golden-frames.js';
import { isFile, pair, type Peer, replaced } from './peer.js';
import { bytes, openDescriptors, path } from './started-client.js';

const { EIO, ENOENT } = constants.errno;
const OK = frame(0, uint32(0));
const NOT_THERE = frame(1, uint32(-ENOENT));
const file = new URL(import.meta.url).pathname;

/** What a peer got, and the descriptors that came along, when all of it is there. */
async function got(peer: Peer, length: number): Promise<{ bytes: Buffer; descriptors: number[] }> {
  let all = Buffer.alloc(0);
  const descriptors: number[] = [];
  await vi.waitUntil(() => {
    const part = peer.receive();
    if (part === undefined) return false;
    all = Buffer.concat([all, part.bytes]);
    descriptors.push(...part.descriptors);
    return all.length >= length;
  });
  return { bytes: all, descriptors };
}

describe('the client of a helper that another one replaces', () => {
  it('asks again, in order and with descriptors, but for a change that may have been begun', async () => {
    const { client, peer, gone, lost } = pair(undefined, true);
    const descriptor = openSync(file, 'r');
    const before = openDescriptors();
    const begun = client.request('chmod', { ...path('begun'), mode: 1 });
    const asked = Promise.all([
      client.request('lstat', path('asked')),
      client.request('chmod', { path: bytes(''), mode: 2 }, descriptor),
      client.request('chmod', { ...path('waiting'), mode: 3 }),
    ]);
    const first = await got(peer, 70);
    for (const received of first.descriptors) closeSync(received);
    peer.close();
    expect(await begun).toBe(-EIO);
    expect([gone, lost]).toEqual([['the helper closed the connection'], []]);
    const late = client.request('chmod', { ...path('late'), mode: 4 });

    const other = replaced(client);
    const length = first.bytes.readUInt32LE(4) + 8;
    const second = await got(other, first.bytes.length - length + 19);
    expect(second.bytes.subarray(0, first.bytes.length - length)).toEqual(first.bytes.subarray(length));
    expect(second.bytes.includes('/late')).toBe(true);
    expect(second.descriptors.map((received) => isFile(received, file))).toEqual([true]);
    for (const received of second.descriptors) closeSync(received);
    other.send(NOT_THERE, OK, OK, OK);
    expect([await asked, await late]).toEqual([[-ENOENT, 0, 0], 0]);
    other.close();
    await vi.waitUntil(() => gone.length > 1);
    expect(openDescriptors()).toBe(before - 2);
    closeSync(descriptor);
  });

  it('asks a question that was begun once more', async () => {
    const { client, peer } = pair(undefined, true);
    const [found, changed] = [
      client.request('lstat', path('file')),
      client.request('chmod', { ...path('file'), mode: 1 }),
    ];
    const first = await peer.received();
    peer.close();
    const other = replaced(client);
    expect(await other.received()).toEqual(first);
    other.send(NOT_THERE, OK);
    expect([await found, await changed]).toEqual([-ENOENT, 0]);
  });

  it('takes what the last one answered before it ended, also when the other one is there already', async () => {
    const { client, peer } = pair(undefined, true);
    const answers = [1, 2, 3].map((mode) => client.request('chmod', { ...path('file'), mode }));
    await peer.received();
    peer.send(OK, OK.subarray(0, 5));
    peer.close();
    const other = replaced(client);
    await other.received();
    other.send(OK);
    expect(await Promise.all(answers)).toEqual([0, -EIO, 0]);
  });

  it('sends a change that the last one cannot have had as a whole', async () => {
    const { client, peer } = pair(4096, true);
    const value = Buffer.alloc(60_000, 7);
    const fields = { ...path('file'), name: bytes('user.a'), value, size: value.length, flags: 0 };
    const set = client.request('lsetxattr', fields);
    await vi.waitUntil(() => peer.receive() !== undefined);
    peer.close();
    const other = replaced(client);
    expect((await got(other, value.length)).bytes.subarray(-60_008, -8).equals(value)).toBe(true);
    other.send(OK);
    expect(await set).toBe(0);
  });

  it('answers EIO to all when nobody takes the place', async () => {
    const { client, peer, gone } = pair(undefined, true);
    const asked = client.request('lstat', path('file'));
    await peer.received();
    peer.close();
    await vi.waitUntil(() => gone.length > 0);
    const late = client.request('lstat', path('file'));
    client.close();
    expect([await asked, await late, await client.request('lstat', path('file'))]).toEqual([
      -EIO,
      -EIO,
      -EIO,
    ]);
  });

  it('does not wait after one that answers nonsense', async () => {
    const { client, peer, gone, lost } = pair(undefined, true);
    const asked = client.request('chmod', { ...path('file'), mode: 0 });
    await peer.received();
    peer.send(frame(7, uint32(0)));
    expect(await asked).toBe(-EIO);
    expect([gone, lost]).toEqual([[], ['the helper sent a malformed reply to chmod']]);
  });
});
