/** A device of an emulator with a session in this process behind it, and a guest that uses it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { Session } from '../../src/server/session/session.js';
import { overVhostUser } from '../../src/server/vhost-user/channel.js';
import { socketpair } from '../../harness/libc.js';
import { decodeFrame, encodeMessage } from '../../harness/ninep-codec.js';
import { type MessageName, NOFID, NOTAG } from '../../harness/ninep-messages.js';
import { exportForTest } from '../../harness/tree.js';
import { helperInProcess, sessionOptions } from './session-in-process.js';
import { Driver } from './vhost-driver.js';
import { ask, Emulator, Memory, u32 } from './vhost-front-end.js';

export const MIB = 1 << 20;
export const GIB = 1 << 30;
/** Two parts of memory side by side, and one far above 4 GiB. */
export const REGIONS = [
  { guest: 0, size: MIB, offset: 0 },
  { guest: MIB, size: MIB, offset: 4096 },
  { guest: 5 * GIB, size: MIB, offset: 0 },
];
export const RING = { at: 5 * GIB, size: 16 };
export const DATA = 4096;

export interface Device {
  readonly emulator: Emulator;
  readonly memory: Memory;
  readonly driver: Driver;
  /** How often the session ended, and why. */
  readonly ends: (string | undefined)[];
  /** The export, with a file. */
  readonly path: string;
}

export const tmsg = (name: MessageName, tag: number, fields: Readonly<Record<string, unknown>>): Buffer =>
  encodeMessage('9P2000.L', name, tag, fields);

/** @param path an export */
export function plugged(path = exportForTest()): Device {
  writeFileSync(join(path, 'file'), 'content');
  const [served, emulators] = socketpair();
  const ends: (string | undefined)[] = [];
  const options = sessionOptions((reason) => ends.push(reason));
  const channel = overVhostUser(served, { tag: 'share', log: options.log, pollCeiling: 50 });
  const session = new Session(channel, helperInProcess(path), options);
  onTestFinished(() => {
    session.end();
  });
  const memory = new Memory(REGIONS);
  return { emulator: new Emulator(emulators), memory, driver: new Driver(memory, RING, DATA), ends, path };
}

export async function working(path?: string): Promise<Device> {
  const device = plugged(path);
  await device.emulator.agree();
  expect(await device.emulator.shareMemory(device.memory)).toBe(true);
  expect(await device.driver.setUp(device.emulator)).toBe(true);
  return device;
}

export async function call(
  { driver }: Device,
  name: MessageName,
  fields: Readonly<Record<string, unknown>>,
  sizes?: readonly number[],
  room: readonly number[] = [4096],
): Promise<ReturnType<typeof decodeFrame>> {
  driver.rewind(DATA);
  const tag = name === 'Tversion' ? NOTAG : 1;
  return decodeFrame('9P2000.L', await driver.request(tmsg(name, tag, fields), room, sizes));
}

export async function attached(path?: string): Promise<Device> {
  const device = await working(path);
  await attach(device);
  return device;
}

export async function attach(device: Device): Promise<void> {
  await call(device, 'Tversion', { msize: 524_288, version: '9P2000.L' });
  await call(device, 'Tattach', { fid: 0, afid: NOFID, uname: 'root', aname: '', n_uname: 0 });
  await call(device, 'Twalk', { fid: 0, newfid: 1, names: ['file'] });
  expect(await call(device, 'Tlopen', { fid: 1, flags: 2 })).toMatchObject({ name: 'Rlopen' });
}

export async function works(device: Device): Promise<void> {
  expect(await call(device, 'Tgetattr', { fid: 1, mask: 0x7ffn })).toMatchObject({ name: 'Rgetattr' });
}

/** Sets the ring up as a guest that was restarted does. */
export async function restart(device: Device): Promise<void> {
  await device.emulator.ask(ask.getVringBase, u32(0, 0));
  device.driver.begin();
  expect(await device.driver.setUp(device.emulator)).toBe(true);
}
