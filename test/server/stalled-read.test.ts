/** A guest that reads from a disk which does not answer: what has nothing to do with that disk goes on. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import { decodeFrame } from '../../harness/ninep-codec.js';
import {
  attached as attachedOverSocket,
  ShareProcess,
  socketPathForTest,
} from '../../harness/share-process.js';
import { StallingDisk, whyNoStallingDisk } from '../../harness/stalling-disk.js';
import { exportForTest } from '../../harness/tree.js';
import { attached as attachedDevice, call, DATA, MIB, tmsg } from './vhost-device.js';

const skipped = whyNotRoot() ?? whyNoStallingDisk();
if (skipped !== undefined) console.warn(`reads that stall skipped: ${skipped}`);

/** Fewer than there are threads that wait for disks: what needs one goes on, too. */
const STALLED = 12;
/** As many as its ring has room for beside the others. */
const STALLED_IN_RING = 4;
const BYTES = 100;
const MANY = 300;

/** An export with a file, and a directory `disk` whose file's reads wait. */
async function exportWithDisk(): Promise<{ path: string; disk: StallingDisk }> {
  const path = exportForTest();
  writeFileSync(join(path, 'file'), 'content');
  mkdirSync(join(path, 'disk'));
  const disk = await StallingDisk.mount(join(path, 'disk'));
  onTestFinished(() => disk.unmount());
  return { path, disk };
}

describe.skipIf(skipped !== undefined)('while reads of a guest stall, it goes on', () => {
  it('over a socket, and another guest does', async () => {
    const { path, disk } = await exportWithDisk();
    const socket = socketPathForTest();
    const options = [`--path=${path}`, `--listen=unix:${socket}`, '--keep-listening'];
    await new ShareProcess(options).ready();
    const [client, other] = [await attachedOverSocket(socket), await attachedOverSocket(socket)];
    await client.request('Twalk', { fid: 0, newfid: 1, names: ['disk', 'file'] });
    await client.request('Tlopen', { fid: 1, flags: 0 });
    for (const each of [client, other]) {
      await each.request('Twalk', { fid: 0, newfid: 2, names: ['file'] });
      await each.request('Tlopen', { fid: 2, flags: 2 });
    }
    const answered: string[] = [];
    const reads = Array.from({ length: STALLED }, async (_, nth) => {
      const { data } = await client.request('Tread', { fid: 1, offset: BigInt(nth * BYTES), count: BYTES });
      answered.push(data.toString());
    });
    await disk.stalls(STALLED);
    for (const each of [client, other]) {
      for (let nth = 0; nth < MANY; nth++) await each.request('Tgetattr', { fid: 2, mask: 0x7ffn });
      await each.request('Twrite', { fid: 2, offset: 0n, data: Buffer.from('CONTENT') });
      const { data } = await each.request('Tread', { fid: 2, offset: 0n, count: BYTES });
      expect(data.toString()).toBe('CONTENT');
      await each.request('Twalk', { fid: 0, newfid: 3, names: ['file'] });
      await each.request('Tclunk', { fid: 3 });
    }
    expect(answered).toEqual([]);
    disk.release();
    await Promise.all(reads);
    expect(answered).toEqual(Array.from({ length: STALLED }, () => 'x'.repeat(BYTES)));
  });

  it('over vhost-user', async () => {
    const { path, disk } = await exportWithDisk();
    const device = await attachedDevice(path);
    const { driver, memory } = device;
    await call(device, 'Twalk', { fid: 0, newfid: 2, names: ['disk', 'file'] });
    expect(await call(device, 'Tlopen', { fid: 2, flags: 0 })).toMatchObject({ name: 'Rlopen' });
    const places = new Map<number, number>();
    driver.rewind(MIB / 2);
    for (let nth = 0; nth < STALLED_IN_RING; nth++) {
      const head = 8 + 2 * nth;
      const frame = tmsg('Tread', 10 + nth, { fid: 2, offset: BigInt(nth * BYTES), count: BYTES });
      const [, room = 0] = driver.chain(head, [frame, BYTES + 11]);
      places.set(head, room);
      driver.offer(head);
    }
    driver.tell();
    await disk.stalls(STALLED_IN_RING);
    // each reply is the next one that is given back
    driver.rewind(DATA);
    for (let nth = 0; nth < MANY; nth++)
      expect(await call(device, 'Tgetattr', { fid: 1, mask: 0x7ffn })).toMatchObject({ name: 'Rgetattr' });
    const read = await call(device, 'Tread', { fid: 1, offset: 0n, count: BYTES });
    expect(read).toMatchObject({ name: 'Rread', fields: { data: Buffer.from('content') } });
    disk.release();
    for (let nth = 0; nth < STALLED_IN_RING; nth++) {
      const { head, length } = await driver.returned();
      expect(length).toBe(BYTES + 11);
      const reply = decodeFrame('9P2000.L', memory.at(places.get(head)!, length));
      expect(reply).toMatchObject({ name: 'Rread', fields: { data: Buffer.alloc(BYTES, 'x') } });
      places.delete(head);
    }
  });
});
