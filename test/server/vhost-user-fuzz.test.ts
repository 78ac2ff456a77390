/**
 * An emulator and a guest that do anything: messages, rings, descriptors and requests that are right, nearly right or
 * nonsense, in any order. VIRTFS_FUZZ_VHOST_CASES is how many, VIRTFS_FUZZ_SEED which.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Session } from '../../src/server/session/session.js';
import { overVhostUser } from '../../src/server/vhost-user/channel.js';
import { Random } from '../../harness/random.js';
import { whyNotRoot } from '../../harness/helper-process.js';
import { socketpair } from '../../harness/libc.js';
import { encodeMessage } from '../../harness/ninep-codec.js';
import { NOFID, NOTAG } from '../../harness/ninep-messages.js';
import { exportForTest } from '../../harness/tree.js';
import { randomMessage } from './random-messages.js';
import { helperInProcess, undisturbedNeighbour, sessionOptions } from './session-in-process.js';
import { Driver, INDIRECT, NEXT, WRITE } from './vhost-driver.js';
import { ask, Emulator, Memory, u32, u64 } from './vhost-front-end.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`fuzzing of a vhost-user device skipped: ${skipped}`);

const CASES = Number(process.env['VIRTFS_FUZZ_VHOST_CASES'] ?? 20_000);
const SEED = Number(process.env['VIRTFS_FUZZ_SEED'] ?? 1);
const MIB = 1 << 20;
const HIGH = 5 * 2 ** 30;
const RING = { at: HIGH, size: 16 };
const DATA = 65_536;
/** Cases of one emulator at most, and those after which the server has its turn. */
const LIFE = 400;
const BURST = 4;
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

/** One message of the emulator that makes sense in some way. */
function say(random: Random, emulator: Emulator, memory: Memory, driver: Driver): void {
  const files = [driver.kick, driver.call, ...memory.parts.map(({ file }) => file)];
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
  emulator.send(request, payload, passed, random.pick([1, 9, 9, 5]));
  if (random.chance(0.002)) emulator.sendBytes(random.bytes(random.below(40)));
}

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
    let answered = 0;
    for (let done = 0; done < CASES;) {
      const [served, emulators] = socketpair();
      const ends: unknown[] = [];
      const options = sessionOptions((reason) => ends.push(reason), { messageBytes: 65_536 });
      const session = new Session(
        overVhostUser(served, { tag: 'share', log: options.log, pollCeiling: 0 }),
        helper,
        options,
      );
      const emulator = new Emulator(emulators);
      await emulator.agree();
      await emulator.shareMemory(memory);
      driver.begin();
      await driver.setUp(emulator);
      driver.rewind(DATA);
      const version = encodeMessage('9P2000.L', 'Tversion', NOTAG, { msize: 65_536, version: '9P2000.L' });
      await driver.request(version, [100]);
      for (let nth = 1; nth < LIFE && done < CASES && ends.length === 0; nth++) {
        done++;
        if (random.chance(0.95)) offer(random, driver, nth);
        else say(random, emulator, memory, driver);
        if (nth % BURST === 0) await turn();
      }
      await helper.request('lstat', { path: Buffer.from('/') });
      await turn();
      answered += memory.at(driver.used + 2, 2).readUInt16LE();
      session.end();
      emulator.close();
      await expectUndisturbed();
    }
    // most rings were broken early: what counts is that some lived
    expect(answered).toBeGreaterThan(CASES / 100);
  },
  3_600_000,
);
