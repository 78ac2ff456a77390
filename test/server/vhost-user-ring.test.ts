/** The ring of a device that an emulator leaves to the server, with a guest that does whatever it likes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import { decodeFrame } from '../../harness/ninep-codec.js';
import { attach, attached, call, DATA, GIB, MIB, restart, RING, tmsg, works } from './vhost-device.js';
import { type Driver, INDIRECT, NEXT, WRITE } from './vhost-driver.js';
import { ask, u32, u64 } from './vhost-front-end.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`the ring of a vhost-user device skipped: ${skipped}`);

describe.skipIf(skipped !== undefined)('the ring of a vhost-user device', () => {
  it('carries requests in any pieces, over the bounds of regions too', async () => {
    const device = await attached();
    const names = ['file'];
    for (const sizes of [[1], [4], [7, 0, 1], [1, 1, 1, 1, 1, 1, 1, 1, 1]]) {
      expect(await call(device, 'Twalk', { fid: 0, newfid: 2, names }, sizes)).toMatchObject({
        name: 'Rwalk',
      });
      expect(await call(device, 'Tclunk', { fid: 2 }, sizes, [0, 1, 3, 0, 7])).toMatchObject({
        name: 'Rclunk',
      });
    }
    device.driver.rewind(MIB - 10);
    const frame = tmsg('Twrite', 3, { fid: 1, offset: 0n, data: Buffer.from('CONTENT of a file') });
    // one descriptor whose memory is in two regions
    const at = MIB - 30;
    frame.copy(device.memory.at(at, 30), 0, 0, 30);
    frame.copy(device.memory.at(MIB, frame.length - 30), 0, 30);
    device.driver.descriptor(0, at, frame.length, NEXT, 1);
    device.driver.descriptor(1, DATA, 11, WRITE);
    device.driver.offer(0);
    device.driver.tell();
    expect(await device.driver.returned()).toEqual({ head: 0, length: 11 });
    expect(readFileSync(join(device.path, 'file'), 'latin1')).toBe('CONTENT of a file');
    const read = await call(device, 'Tread', { fid: 1, offset: 2n, count: 9 }, [], [11, 2, 0, 3, 100]);
    expect(read).toMatchObject({ name: 'Rread', fields: { data: Buffer.from('NTENT of ') } });
  });

  it('takes tables of descriptors', async () => {
    const device = await attached();
    const { driver, memory } = device;
    const frame = tmsg('Tread', 1, { fid: 1, offset: 0n, count: 7 });
    frame.copy(memory.at(DATA, frame.length));
    const table = Buffer.concat([
      u64(DATA),
      u32(frame.length, NEXT | (1 << 16)),
      u64(2 * DATA),
      u32(11, WRITE | NEXT | (2 << 16)),
      u64(3 * DATA),
      u32(100, WRITE),
    ]);
    table.copy(memory.at(4 * DATA, table.length));
    driver.descriptor(5, 4 * DATA, table.length, INDIRECT);
    driver.offer(5);
    driver.tell();
    expect(await driver.returned()).toEqual({ head: 5, length: 18 });
    expect(memory.at(3 * DATA, 7).toString()).toBe('content');
  });

  it('answers what is no message, and goes on', async () => {
    const device = await attached();
    device.driver.rewind(DATA);
    const broken = tmsg('Tclunk', 9, { fid: 77 });
    broken.writeUInt32LE(1000, 0);
    const reply = await device.driver.request(broken, [100]);
    expect(decodeFrame('9P2000.L', reply)).toMatchObject({ name: 'Rlerror', tag: 9 });
    for (const [piece, room] of [
      [Buffer.from('abc'), 100],
      [Buffer.alloc(0), 100],
      [tmsg('Tclunk', 9, { fid: 77 }), 10],
      [tmsg('Tread', 9, { fid: 1, offset: 0n, count: 7 }), 0],
    ] as const) {
      device.driver.rewind(DATA);
      expect(await device.driver.request(piece, [room])).toHaveLength(0);
    }
    await works(device);
    expect(device.ends).toEqual([]);
  });

  it('tells the guest of what it waits for, and once of many', async () => {
    const device = await attached();
    const { driver, memory } = device;
    driver.calls();
    driver.rewind(DATA);
    // with event indices: after the fourth
    const index = memory.at(driver.used + 2, 2).readUInt16LE();
    memory.at(driver.available + 4 + 2 * RING.size, 2).writeUInt16LE((index + 3) & 0xffff);
    for (let nth = 0; nth < 4; nth++) {
      driver.chain(3 * nth, [tmsg('Tgetattr', 10 + nth, { fid: 1, mask: 0x7ffn }), 300]);
      driver.offer(3 * nth);
    }
    driver.tell();
    for (let nth = 0; nth < 4; nth++) await driver.returned();
    await expect.poll(() => driver.calls(), { timeout: 20_000 }).toBe(1);
  });

  it.each<[string, (driver: Driver) => void]>([
    [
      'an address outside of memory',
      (driver) => {
        driver.descriptor(0, 2 * MIB, 100, 0);
      },
    ],
    [
      'memory that ends too early',
      (driver) => {
        driver.descriptor(0, 2 * MIB - 50, 100, 0);
      },
    ],
    [
      'an address beyond all numbers',
      (driver) => {
        driver.descriptor(0, 0, 100, 0);
        driver.memory.at(driver.descriptors, 8).fill(0xff);
      },
    ],
    [
      'a loop',
      (driver) => {
        driver.descriptor(0, DATA, 10, NEXT, 1);
        driver.descriptor(1, DATA, 10, NEXT, 0);
      },
    ],
    [
      'a descriptor that there is none of',
      (driver) => {
        driver.descriptor(0, DATA, 10, NEXT, RING.size);
      },
    ],
    [
      'what is to be read behind what is to be written',
      (driver) => {
        driver.descriptor(0, DATA, 10, NEXT | WRITE, 1);
        driver.descriptor(1, DATA, 10, 0);
      },
    ],
    [
      'a table in a table',
      (driver) => {
        driver.descriptor(0, DATA, 16, INDIRECT);
        Buffer.concat([u64(DATA), u32(16, INDIRECT)]).copy(driver.memory.at(DATA, 16));
      },
    ],
    [
      'a loop in a table',
      (driver) => {
        driver.descriptor(0, DATA, 16, INDIRECT);
        Buffer.concat([u64(DATA), u32(16, NEXT)]).copy(driver.memory.at(DATA, 16));
      },
    ],
    [
      'a table with another descriptor behind it',
      (driver) => {
        driver.descriptor(0, DATA, 16, INDIRECT | NEXT, 1);
      },
    ],
    [
      'a table of an odd size',
      (driver) => {
        driver.descriptor(0, DATA, 17, INDIRECT);
      },
    ],
    [
      'a table outside of memory',
      (driver) => {
        driver.descriptor(0, 3 * MIB, 32, INDIRECT);
      },
    ],
    [
      'a table of a gigabyte',
      (driver) => {
        driver.descriptor(0, DATA, GIB, INDIRECT);
      },
    ],
  ])('serves a ring with %s no more, until it is set up again', async (_, spoil) => {
    const device = await attached();
    const { driver } = device;
    spoil(driver);
    driver.offer(0);
    driver.tell();
    const before = driver.memory.at(driver.used + 2, 2).readUInt16LE();
    // the emulator is served nevertheless
    expect(await device.emulator.ask(ask.getStatus)).toHaveLength(8);
    driver.chain(2, [tmsg('Tgetattr', 1, { fid: 1, mask: 0x7ffn }), 300]);
    driver.offer(2);
    driver.tell();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(driver.memory.at(driver.used + 2, 2).readUInt16LE()).toBe(before);
    expect(device.ends).toEqual([]);
    await restart(device);
    await attach(device);
    await works(device);
  });

  it('serves a ring with more entries than it has no more', async () => {
    const device = await attached();
    const { driver } = device;
    driver.memory.at(driver.available + 2, 2).writeUInt16LE(40_000);
    driver.tell();
    await restart(device);
    await attach(device);
    await works(device);
  });

  it('gives all back before the emulator may take the ring', async () => {
    const device = await attached();
    const { driver, emulator } = device;
    for (let round = 0; round < 20; round++) {
      driver.rewind(DATA);
      for (let nth = 0; nth < 5; nth++) {
        driver.chain(3 * nth, [tmsg('Tgetattr', 10 + nth, { fid: 1, mask: 0x7ffn }), 300]);
        driver.offer(3 * nth);
      }
      driver.tell();
      const base = (await emulator.ask(ask.getVringBase, u32(0, 0)))!.readUInt32LE(4);
      expect(driver.memory.at(driver.used + 2, 2).readUInt16LE()).toBe(base);
      expect(await driver.setUp(emulator, base)).toBe(true);
      for (let nth = 0; nth < 5; nth++) await driver.returned();
    }
    await works(device);
  });
});
