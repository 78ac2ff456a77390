/** The device that an emulator leaves to the server, with an emulator that does whatever it likes. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import { decodeFrame } from '../../harness/ninep-codec.js';
import { patience } from '../../harness/patience.js';
import { exportForTest } from '../../harness/tree.js';
import { sessionInProcess } from './session-in-process.js';
import {
  attach,
  attached,
  call,
  GIB,
  MIB,
  plugged,
  REGIONS,
  restart,
  tmsg,
  working,
  works,
} from './vhost-device.js';
import { ask, Memory, u32, u64 } from './vhost-front-end.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`a vhost-user device skipped: ${skipped}`);

interface MappedRange {
  readonly from: number;
  readonly to: number;
  readonly rights: string;
  readonly isGuests: boolean;
}

/** What this process, of which the device is a part, has mapped. */
function mappedRanges(): MappedRange[] {
  return readFileSync('/proc/self/maps', 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [, from = '', to = '', rights = ''] = /^(\w+)-(\w+) (\S+)/.exec(line) ?? [];
      return {
        from: Number.parseInt(from, 16),
        to: Number.parseInt(to, 16),
        rights,
        isGuests: line.includes('/memfd:guest'),
      };
    });
}

describe.skipIf(skipped !== undefined)('a vhost-user device', () => {
  it('says what it can, and its tag', async () => {
    const { emulator } = plugged();
    expect((await emulator.ask(ask.getFeatures))!.readBigUInt64LE()).toBe(0x1_7000_0001n);
    expect((await emulator.ask(ask.getQueueNum))!.readBigUInt64LE()).toBe(1n);
    expect((await emulator.ask(ask.getMaxMemSlots))!.readBigUInt64LE()).toBeGreaterThan(7n);
    const config = (await emulator.ask(ask.getConfig, Buffer.concat([u32(0, 7, 0), Buffer.alloc(7)])))!;
    expect(config.subarray(12)).toEqual(Buffer.from('\x05\0share'));
    const beyond = (await emulator.ask(ask.getConfig, Buffer.concat([u32(250, 7, 0), Buffer.alloc(7)])))!;
    expect(beyond).toHaveLength(0);
    expect((await emulator.ask(ask.getStatus))!.readBigUInt64LE()).toBe(0n);
  });

  it('keeps what the guest has open over a pause, and not over a restart', async () => {
    const device = await attached();
    const base = (await device.emulator.ask(ask.getVringBase, u32(0, 0)))!.readUInt32LE(4);
    expect(base).toBeGreaterThan(3);
    expect(await device.driver.setUp(device.emulator, base)).toBe(true);
    await works(device);
    await restart(device);
    expect(await call(device, 'Tgetattr', { fid: 1, mask: 0x7ffn })).toMatchObject({ name: 'Rlerror' });
    await attach(device);
    await works(device);
    await device.emulator.tell(ask.resetDevice, Buffer.alloc(0));
    device.driver.begin();
    expect(await device.driver.setUp(device.emulator)).toBe(true);
    expect(await call(device, 'Tgetattr', { fid: 1, mask: 0x7ffn })).toMatchObject({ name: 'Rlerror' });
  });

  it('takes more memory, and less', async () => {
    const device = await attached();
    const more = { guest: 9 * GIB, size: MIB, offset: 0 };
    device.memory.add(more);
    const { file } = device.memory.parts.at(-1)!;
    const region = Buffer.concat([u64(0), Memory.describe(more)]);
    expect(await device.emulator.tell(ask.addMemReg, region, [file])).toBe(true);
    expect(await device.emulator.tell(ask.addMemReg, region, [file])).toBe(false);
    device.driver.rewind(9 * GIB);
    const frame = tmsg('Tgetattr', 1, { fid: 1, mask: 0x7ffn });
    expect(decodeFrame('9P2000.L', await device.driver.request(frame, [300]))).toMatchObject({
      name: 'Rgetattr',
    });
    expect(await device.emulator.tell(ask.remMemReg, region)).toBe(true);
    expect(await device.emulator.tell(ask.remMemReg, region)).toBe(false);
    await works(device);
    // the ring itself goes, and comes back
    const ringOf = Buffer.concat([u64(0), Memory.describe(REGIONS[2]!)]);
    expect(await device.emulator.tell(ask.remMemReg, ringOf)).toBe(false);
    expect(await device.emulator.tell(ask.addMemReg, ringOf, [device.memory.parts[2]!.file])).toBe(true);
    expect(await device.emulator.tell(ask.setVringEnable, u32(0, 1))).toBe(true);
    await works(device);
  });

  it('has what nobody may touch around every part of the memory', async () => {
    const device = plugged();
    await device.emulator.agree();
    const ofTest = mappedRanges().map(({ from }) => from);
    expect(await device.emulator.shareMemory(device.memory)).toBe(true);
    const shared = mappedRanges();
    const parts = shared.filter(({ isGuests, from }) => isGuests && !ofTest.includes(from));
    expect(parts.map(({ from, to }) => to - from)).toEqual(REGIONS.map(() => MIB));
    for (const part of parts) {
      const [before, after] = [
        shared.find(({ to }) => to === part.from),
        shared.find(({ from }) => from === part.to),
      ];
      expect([before?.rights, after?.rights]).toEqual(['---p', '---p']);
    }
    expect(await device.emulator.tell(ask.setMemTable, u32(0, 0))).toBe(true);
    // all of it goes with the memory
    const left = mappedRanges();
    for (const { from, to } of parts)
      expect(left.filter((range) => range.from < to && range.to > from && range.rights === '---p')).toEqual(
        [],
      );
  });

  it('takes no memory that is not all there, or twice', async () => {
    const { emulator, memory } = plugged();
    await emulator.agree();
    const { file } = memory.parts[0]!;
    const add = (
      guest: number | bigint,
      size: number | bigint,
      user: number | bigint,
      offset: number | bigint,
    ) =>
      emulator.tell(ask.addMemReg, Buffer.concat([u64(0), u64(guest), u64(size), u64(user), u64(offset)]), [
        file,
      ]);
    for (const [guest, size, user, offset] of [
      [0, 0, 0, 0],
      [0, 2 * MIB, 0, 0],
      [0, MIB, 0, 4096],
      [0, 4096, 0, 100],
      [0, 4096, 0, 2n ** 63n],
      [2n ** 64n - 4096n, 8192, 0, 0],
      [0, 8192, 2n ** 64n - 4096n, 0],
      [0, 2n ** 64n - 1n, 0, 1],
    ] as const)
      expect(await add(guest, size, user, offset), `${guest} ${size} ${user} ${offset}`).toBe(false);
    expect(await add(0, MIB, 0, 0)).toBe(true);
    expect(await add(MIB - 1, MIB, 5 * GIB, 0)).toBe(false);
    expect(await add(5 * GIB, MIB, 4096, 0)).toBe(false);
  });

  it('takes no ring that makes no sense', async () => {
    const { emulator, memory, driver } = plugged();
    await emulator.agree();
    await emulator.shareMemory(memory);
    for (const size of [0, 3, 100, 65_536, 0xffff_ffff])
      expect(await emulator.tell(ask.setVringNum, u32(0, size))).toBe(false);
    expect(await emulator.tell(ask.setVringNum, u32(1, 16))).toBe(false);
    expect(await emulator.tell(ask.setVringBase, u32(0, 65_536))).toBe(false);
    for (const [one, two, three] of [
      [8, 0, 0],
      [0, 2, 0],
      [0, 0, 1],
    ] as const) {
      const places = [u64(one), u64(two), u64(three), u64(0)];
      expect(await emulator.tell(ask.setVringAddr, Buffer.concat([u32(0, 0), ...places]))).toBe(false);
    }
    // addresses that there is no memory at
    const places = [u64(16), u64(16), u64(16), u64(0)];
    expect(await emulator.tell(ask.setVringNum, u32(0, 16))).toBe(true);
    expect(await emulator.tell(ask.setVringAddr, Buffer.concat([u32(0, 0), ...places]))).toBe(true);
    expect(await emulator.tell(ask.setVringKick, u64(0), [driver.kick])).toBe(true);
    expect(await emulator.tell(ask.setVringEnable, u32(0, 1))).toBe(false);
    // a file is nothing to wait for
    expect(await emulator.tell(ask.setVringKick, u64(0), [memory.parts[0]!.file])).toBe(false);
    expect(await emulator.tell(ask.setVringKick, u64(0))).toBe(false);
    expect(await driver.setUp(emulator)).toBe(true);
  });

  it('takes no ring in memory that moves it off its bounds', async () => {
    const { emulator, memory, driver } = plugged();
    await emulator.agree();
    const region = Buffer.concat([u64(0), u64(0), u64(MIB), u64(GIB + 1), u64(0)]);
    expect(await emulator.tell(ask.addMemReg, region, [memory.parts[0]!.file])).toBe(true);
    const places = [GIB + 16, GIB + 1024, GIB + 2048, 0].map(u64);
    expect(await emulator.tell(ask.setVringNum, u32(0, 16))).toBe(true);
    expect(await emulator.tell(ask.setVringAddr, Buffer.concat([u32(0, 0), ...places]))).toBe(true);
    expect(await emulator.tell(ask.setVringKick, u64(0), [driver.kick])).toBe(true);
    expect(await emulator.tell(ask.setVringEnable, u32(0, 1))).toBe(false);
  });

  it.each<[string, Buffer]>([
    ['another version', u32(1, 2, 0)],
    ['too long a message', u32(1, 1, 5000)],
  ])('sends away an emulator with %s', async (_, bytes) => {
    const { emulator, ends } = plugged();
    emulator.sendBytes(bytes);
    expect(await emulator.reply()).toBeUndefined();
    expect(ends).toHaveLength(1);
  });

  it('ends with its emulator', async () => {
    const device = await attached();
    device.emulator.close();
    await expect.poll(() => device.ends, { timeout: 20_000 }).toEqual([undefined]);
  });

  it('keeps no descriptor of its emulator when that has gone', async () => {
    const { emulator, driver, ends } = await working();
    const before = readdirSync('/proc/self/fd').length;
    // what it keeps as long as there is an emulator
    emulator.send(ask.setBackendReqFd, Buffer.alloc(0), [driver.call]);
    emulator.send(ask.setVringErr, u64(0), [driver.call]);
    await emulator.ask(ask.getStatus);
    expect(readdirSync('/proc/self/fd')).toHaveLength(before + 2);
    emulator.close();
    await expect.poll(() => ends.length, { timeout: 20_000 * patience }).toBe(1);
    // its socket at both ends, kick and call, too
    await expect.poll(() => readdirSync('/proc/self/fd').length).toBe(before - 4);
  });

  it('is no concern of another session', async () => {
    const neighbour = exportForTest();
    mkdirSync(join(neighbour, 'dir'));
    const { client } = await sessionInProcess(neighbour);
    const device = await attached();
    device.driver.descriptor(0, 2 * MIB, 100, 0);
    device.driver.offer(0);
    device.driver.tell();
    const { qids } = await client.request('Twalk', { fid: 0, newfid: 1, names: ['dir'] });
    expect(qids).toHaveLength(1);
  });
});
