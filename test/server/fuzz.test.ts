/**
 * A client that sends anything: well-formed or not, meaningful or not, in any order. VIRTFS_FUZZ_9P_MESSAGES is how many
 * messages, VIRTFS_FUZZ_SEED which.
 */
import { mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { HelperClient } from '../../src/server/helper-client/helper-client.js';
import { Session } from '../../src/server/session/session.js';
import { overStream } from '../../src/server/session/stream-channel.js';
import type { ClientStream, StreamEvents } from '../../src/server/transports/stream.js';
import { Random } from '../../harness/random.js';
import { whyNotRoot } from '../../harness/helper-process.js';
import { decodeFrame, encodeMessage } from '../../harness/ninep-codec.js';
import { type Dialect, NOFID, NOTAG } from '../../harness/ninep-messages.js';
import { exportForTest } from '../../harness/tree.js';
import { randomMessage } from './random-messages.js';
import { helperInProcess, undisturbedNeighbour, sessionOptions } from './session-in-process.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`fuzzing of the 9P server skipped: ${skipped}`);

const MESSAGES = Number(process.env['VIRTFS_FUZZ_9P_MESSAGES'] ?? 200_000);
const SEED = Number(process.env['VIRTFS_FUZZ_SEED'] ?? 1);
const MSIZE = 65_536;
const DIALECTS: readonly Dialect[] = ['9P2000.L', '9P2000.L', '9P2000.u', '9P2000'];
/** Messages of one session at most, and messages before their replies are waited for. */
const SESSION = 500;
const BURST = 8;

/** Checks every reply by what every reply has to be. */
class Hostile {
  readonly session: Session;
  readonly #dialect: Dialect;
  #events!: StreamEvents;
  #received = Buffer.alloc(0);
  hasEnded = false;
  replies = 0;

  constructor(helper: HelperClient, dialect: Dialect) {
    this.#dialect = dialect;
    const stream: ClientStream = {
      buffered: 0,
      send: (parts) => {
        this.#received = Buffer.concat([this.#received, ...parts]);
      },
      pause: () => undefined,
      expect: () => undefined,
      resume: () => undefined,
      close: () => undefined,
    };
    const connect = (events: StreamEvents): ClientStream => {
      this.#events = events;
      return stream;
    };
    const options = sessionOptions(() => (this.hasEnded = true), { messageBytes: MSIZE, requests: 10_000 });
    this.session = new Session(overStream(connect), helper, options);
    this.send(encodeMessage(dialect, 'Tversion', NOTAG, { msize: MSIZE, version: dialect }));
    const attach = { fid: 0, afid: NOFID, uname: 'root', aname: '', n_uname: 0 };
    this.send(encodeMessage(dialect, 'Tattach', 0, attach));
  }

  send(bytes: Buffer): void {
    if (!this.hasEnded) this.#events.received(bytes);
  }

  check(): void {
    let bytes = this.#received;
    while (bytes.length > 0) {
      const size = bytes.readUInt32LE(0);
      expect(size).toBeLessThanOrEqual(MSIZE);
      expect(size).toBeLessThanOrEqual(bytes.length);
      const frame = bytes.subarray(0, size);
      // the dialect may be another one since a Tversion: a reply is of one of them
      expect(this.#isReply(frame), frame.toString('hex')).toBe(true);
      bytes = bytes.subarray(size);
      this.replies++;
    }
    this.#received = Buffer.alloc(0);
  }

  #isReply(frame: Buffer): boolean {
    return [this.#dialect, ...DIALECTS].some((dialect) => {
      try {
        return decodeFrame(dialect, frame).name.startsWith('R');
      } catch {
        return false;
      }
    });
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const descriptors = (): number => readdirSync('/proc/self/fd').length;

it.skipIf(skipped !== undefined)(
  `${MESSAGES} messages harm nobody (seed ${SEED})`,
  async () => {
    const random = new Random(SEED);
    const path = exportForTest();
    const expectUndisturbed = await undisturbedNeighbour();
    const helper = helperInProcess(path);
    expect(await helper.request('lstat', { path: Buffer.from('/') })).toBeTypeOf('object');
    const before = descriptors();
    let sent = 0;
    let replies = 0;
    let sessions = 0;
    while (sent < MESSAGES) {
      if (sessions++ % 20 === 0) {
        const place = mkdtempSync(join(path, 'round-'));
        mkdirSync(join(path, 'dir'), { recursive: true });
        writeFileSync(join(place, 'file'), 'content');
        symlinkSync('/etc/passwd', join(place, 'link'));
      }
      const dialect = random.pick(DIALECTS);
      const hostile = new Hostile(helper, dialect);
      for (let message = 1; message < SESSION && !hostile.hasEnded; message++) {
        hostile.send(randomMessage(random, dialect, message));
        sent++;
        if (message % BURST === 0) await turn();
      }
      // everything under way has come to its end
      await helper.request('lstat', { path: Buffer.from('/') });
      await turn();
      hostile.check();
      replies += hostile.replies;
      hostile.session.end();
      await expectUndisturbed();
    }
    // a session in a dozen that leaves one behind would be more
    await expect.poll(descriptors, { timeout: 10_000 }).toBeLessThanOrEqual(before + 40);
    // it has not just been sent away all the time
    expect(replies).toBeGreaterThan(MESSAGES / 4);
  },
  3_600_000,
);
