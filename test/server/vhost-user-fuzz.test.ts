/**
 * An emulator and a guest that do anything: messages, rings, descriptors and requests that are right, nearly right or
 * nonsense, in any order. VIRTFS_FUZZ_VHOST_CASES is how many, VIRTFS_FUZZ_SEED which.
 *
 * The device is in this process, and its memory lies between pages that nobody can touch: whatever reaches beyond ends the
 * test. What is broken is set up again and has to work then, so no case is wasted on what is not looked at any more.
 */
import { closeSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { HelperClient } from '../../src/server/helper-client/helper-client.js';
import { Session } from '../../src/server/session/session.js';
import { overVhostUser } from '../../src/server/vhost-user/channel.js';
import { Random } from '../../harness/random.js';
import { whyNotRoot } from '../../harness/helper-process.js';
import { socketpair } from '../../harness/libc.js';
import { encodeMessage } from '../../harness/ninep-codec.js';
import { NOFID, NOTAG } from '../../harness/ninep-messages.js';
import { patience } from '../../harness/patience.js';
import { exportForTest } from '../../harness/tree.js';
import { randomMessage } from './random-messages.js';
import { helperInProcess, undisturbedNeighbour, sessionOptions } from './session-in-process.js';
import { counter, countOf, Driver, INDIRECT, NEXT, WRITE } from './vhost-driver.js';
import { ask, Emulator, Memory, u32, u64 } from './vhost-front-end.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`fuzzing of a vhost-user device skipped: ${skipped}`);

const CASES = Number(process.env['VIRTFS_FUZZ_VHOST_CASES'] ?? 200_000);
const SEED = Number(process.env['VIRTFS_FUZZ_SEED'] ?? 1);
const MIB = 1 << 20;
const HIGH = 5 * 2 ** 30;
const RING = { at: HIGH, size: 16 };
const DATA = 65_536;
/** All that the device has, and all that it says it can. */
const FEATURES = 0x1_7000_0001n;
const PROTOCOL_FEATURES = 0x1_a229n;
/** Cases of one emulator at most, those after which the server has its turn, and turns in which nothing was answered. */
const LIFE = 2000;
const BURST = 4;
const SILENCE = 12;
const requests = Object.values(ask);
const NUMBERS = [0, 1, 2, 15, 16, 17, 255, 4096, 65_535, 65_536, MIB - 1, MIB, 2 ** 31, 2 ** 32 - 1];
const ADDRESSES = [
  0,
  1,
  DATA,
  DATA + 1,
  MIB - 7,
  MIB,
  2 * MIB - 1,
  2 * MIB,
  HIGH,
  HIGH + MIB - 3,
  HIGH + MIB,
];

/** What a guest begins with, and has to be answered whatever was before. */
const OPENING = [
  encodeMessage('9P2000.L', 'Tversion', NOTAG, { msize: 65_536, version: '9P2000.L' }),
  encodeMessage('9P2000.L', 'Tattach', 0, { fid: 0, afid: NOFID, uname: 'root', aname: '', n_uname: 0 }),
  encodeMessage('9P2000.L', 'Twalk', 0, { fid: 0, newfid: 1, names: ['file'] }),
  encodeMessage('9P2000.L', 'Tlopen', 0, { fid: 1, flags: 2 }),
];

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** One entry of the ring: a request, whose chain may be spoilt. */
function offer(random: Random, driver: Driver, tag: number): void {
  const frame = random.chance(0.1)
    ? encodeMessage('9P2000.L', 'Tattach', tag, { fid: 0, afid: NOFID, uname: 'root', aname: '', n_uname: 0 })
    : randomMessage(random, '9P2000.L', tag);
  driver.rewind(random.chance(0.9) ? DATA + random.below(DATA) : MIB - random.below(frame.length + 1));
  const head = random.below(RING.size - 4);
  try {
    driver.chain(head, random.chance(0.9) ? [frame, random.pick([4096, 11, 7, 0, 100])] : [frame]);
  } catch {
    // the pieces are in two regions, which the test's memory is not made for
  }
  if (random.chance(0.02)) {
    const flags = random.below(8) | (random.chance(0.5) ? WRITE | NEXT | INDIRECT : 0);
    const address = random.chance(0.5) ? random.pick(ADDRESSES) : random.bits() * 2 ** random.below(30);
    driver.descriptor(
      head + random.below(3),
      address,
      random.pick(NUMBERS),
      flags,
      random.below(RING.size + 2),
    );
  }
  if (random.chance(0.005)) random.bytes(64).copy(driver.memory.at(HIGH + random.below(600), 64));
  driver.offer(random.chance(0.99) ? head : random.below(0x1_0000));
  if (random.chance(0.9)) driver.tell();
}

/** An emulator of which nothing is expected. */
class Hostile {
  readonly #emulator: Emulator;
  readonly #session: Session;
  readonly #driver: Driver;
  readonly #random: Random;
  /** Counts how often the ring was found to be broken. */
  readonly #broken: number;
  readonly #ends: unknown[] = [];
  /** What is sent next would be read as a part of what was sent before. */
  #isMidMessage = false;
  #base = 0;

  constructor(random: Random, driver: Driver, broken: number, helper: HelperClient) {
    this.#random = random;
    this.#driver = driver;
    this.#broken = broken;
    const [served, emulators] = socketpair();
    const options = sessionOptions((reason) => this.#ends.push(reason), { messageBytes: 65_536 });
    const channel = overVhostUser(served, { tag: 'share', log: options.log, pollCeiling: 0 });
    this.#session = new Session(channel, helper, options);
    this.#emulator = new Emulator(emulators);
  }

  isOver(): boolean {
    return this.#ends.length > 0 || this.#isMidMessage;
  }

  get isRingBroken(): boolean {
    return countOf(this.#broken) > 0;
  }

  /** Requests that were given back since it was set up. */
  get returned(): number {
    return (this.#driver.usedIndex - this.#base) & 0xffff;
  }

  /** Sets all of it up as after a restart of the guest, and has it work. @returns false where the connection has ended */
  async setUp(): Promise<boolean> {
    const [driver, emulator] = [this.#driver, this.#emulator];
    emulator.discard();
    emulator.send(ask.getVringBase, u32(0, 0));
    if (!(await this.#until(() => emulator.discard() > 0))) return false;
    this.#base = this.#random.chance(0.5) ? 0 : this.#random.below(0x1_0000);
    driver.begin(this.#base);
    emulator.send(ask.setProtocolFeatures, u64(PROTOCOL_FEATURES));
    emulator.send(ask.setFeatures, u64(FEATURES));
    emulator.send(ask.setMemTable, driver.memory.table(), driver.memory.files());
    emulator.send(ask.setVringErr, u64(0), [this.#broken]);
    for (const message of driver.settingUp(this.#base)) emulator.send(...message);
    for (const request of OPENING) {
      const before = driver.usedIndex;
      driver.rewind(DATA);
      driver.chain(0, [request, 100]);
      driver.offer(0);
      driver.tell();
      if (!(await this.#until(() => driver.usedIndex !== before))) return false;
    }
    // of the ring before
    countOf(this.#broken);
    return true;
  }

  /** One message that makes sense in some way. */
  say(): void {
    const [random, driver] = [this.#random, this.#driver];
    const files = [driver.kick, driver.call, ...driver.memory.files()];
    const number = (): number => (random.chance(0.5) ? random.pick(ADDRESSES) : random.pick(NUMBERS));
    const payload = random.pick([
      () => u32(random.below(2), random.pick(NUMBERS)),
      () => u64(random.chance(0.5) ? 0 : random.pick(NUMBERS)),
      () => Buffer.concat([u32(0, random.below(2)), u64(number()), u64(number()), u64(number()), u64(0)]),
      () =>
        Buffer.concat([u32(random.below(10), 0), u64(number()), u64(number()), u64(number()), u64(number())]),
      () => random.bytes(random.below(80)),
      () => Buffer.alloc(0),
    ])();
    const passed = Array.from({ length: random.pick([0, 0, 1, 1, 2, 8]) }, () => random.pick(files));
    const request = random.chance(0.95) ? random.pick(requests) : random.bits();
    this.#emulator.send(request, payload, passed, random.pick([1, 9, 9, 5]));
    if (!random.chance(0.002)) return;
    this.#emulator.sendBytes(random.bytes(random.below(40)));
    this.#isMidMessage = true;
  }

  end(): void {
    this.#session.end();
    this.#emulator.close();
  }

  /** @returns whether it has come to that, where the connection has not ended before */
  async #until(isSo: () => boolean): Promise<boolean> {
    const deadline = Date.now() + 30_000 * patience;
    while (!isSo()) {
      if (this.#ends.length > 0) return false;
      if (Date.now() > deadline) throw new Error('the device does not answer any more');
      await turn();
    }
    return true;
  }
}

/** Descriptors of this process, and parts of guests' memory that it has mapped. */
const held = (): { descriptors: number; mappings: number } => ({
  descriptors: readdirSync('/proc/self/fd').length,
  mappings: readFileSync('/proc/self/maps', 'utf8').split('/memfd:guest').length,
});

it.skipIf(skipped !== undefined)(
  `${CASES} cases harm nobody (seed ${SEED})`,
  async () => {
    const random = new Random(SEED);
    const path = exportForTest();
    const expectUndisturbed = await undisturbedNeighbour();
    const helper = helperInProcess(path);
    mkdirSync(join(path, 'dir'));
    writeFileSync(join(path, 'file'), 'content');
    const memory = new Memory([
      { guest: 0, size: MIB, offset: 0 },
      { guest: MIB, size: MIB, offset: 4096 },
      { guest: HIGH, size: MIB, offset: 0 },
    ]);
    const driver = new Driver(memory, RING, DATA);
    const broken = counter();
    onTestFinished(() => {
      closeSync(broken);
    });
    await helper.request('lstat', { path: Buffer.from('/') });
    const before = held();
    let returned = 0;
    let done = 0;
    while (done < CASES) {
      const hostile = new Hostile(random, driver, broken, helper);
      const end = Math.min(done + LIFE, CASES);
      while (done < end && !hostile.isOver() && (await hostile.setUp())) {
        const undisturbed = expectUndisturbed();
        let [silent, last] = [0, driver.usedIndex];
        for (let nth = 1; done < end && !hostile.isOver() && silent < SILENCE; nth++) {
          done++;
          if (random.chance(0.95)) offer(random, driver, nth);
          else hostile.say();
          if (nth % BURST !== 0) continue;
          await turn();
          if (hostile.isRingBroken) break;
          silent = driver.usedIndex === last ? silent + 1 : 0;
          last = driver.usedIndex;
        }
        await undisturbed;
        returned += hostile.returned;
      }
      hostile.end();
    }
    await helper.request('lstat', { path: Buffer.from('/') });
    await expectUndisturbed();
    // it has not just been broken all the time
    expect(returned).toBeGreaterThan(CASES / 2);
    // nothing of an emulator stays when it has gone
    await expect.poll(held, { timeout: 20_000 * patience }).toEqual(before);
  },
  36_000_000,
);
