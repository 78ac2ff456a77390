/**
 * Random damage to frames: whatever comes, the helper answers or ends the session with status 3. It does not crash, does
 * not hang, sends no reply longer than asked, and touches nothing outside the export.
 */
import { closeSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Random } from '../../harness/random.js';
import { type Session, startSession, whyNotRoot } from '../../harness/helper-process.js';
import { requestNames, requests, requestTypes } from '../../harness/requests.js';
import { compareSnapshots, exportForTest, snapshot } from '../../harness/tree.js';
import { type Reply, WireError } from '../../harness/wire-client.js';
import { EPOCH } from '../fuzz/fuzz-run.js';
import { split } from '../fuzz/layouts.js';
import { replyProblem } from '../fuzz/reply-rules.js';
import { fillScratch } from '../fuzz/scratch.js';
import { validRequest } from '../fuzz/valid-requests.js';
import { errorLines } from './error-lines.js';

const skipped = whyNotRoot();

const FRAMES = 20_000;
const SEED = 1;

/** Flips, cuts, swells or replaces bytes of the payload; the header's size stays true, so that the stream goes on. */
function damaged(random: Random): Buffer {
  const bytes = Buffer.from(validRequest(random.pick(requestNames), random));
  for (let flips = random.below(4); flips > 0; flips--) {
    if (bytes.length > 8)
      bytes[8 + random.below(bytes.length - 8)] = random.pick([0, 1, 0xff, 0x2f, random.below(256)]);
  }
  const payload = bytes.subarray(8);
  const kept = random.chance(0.2) ? payload.subarray(0, random.below(payload.length + 1)) : payload;
  const tail = random.chance(0.1) ? random.bytes(random.below(2_000)) : Buffer.alloc(0);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(kept.length + tail.length);
  return Buffer.concat([bytes.subarray(0, 4), size, kept, tail]);
}

describe.skipIf(skipped !== undefined)('damaged frames', () => {
  function begin(): Session & { host: string } {
    const host = exportForTest();
    writeFileSync(join(host, 'precious'), 'outside');
    mkdirSync(join(host, 'export'));
    const session = startSession(join(host, 'export'));
    onTestFinished(async () => {
      session.client.close();
      await session.helper.stop();
    });
    return { host, ...session };
  }

  it(`are answered, ${FRAMES} of them`, { timeout: 120_000 }, async () => {
    const { client, helper, host } = begin();
    const random = new Random(SEED);
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    const descriptors = readdirSync(`/proc/${helper.pid}/fd`).length;
    const answers = new Map<string, number>();
    for (let index = 0; index < FRAMES; index++) {
      if (index % EPOCH === 0) fillScratch(join(host, 'export'));
      const bytes = damaged(random);
      const where = `frame ${index} of seed ${SEED}: ${bytes.toString('hex', 0, 200)}`;
      let reply: Reply;
      try {
        reply = client.request(bytes);
      } catch (error) {
        throw new Error(`${where}: ${String(error)}; stderr: ${helper.stderr().slice(-1_000)}`, {
          cause: error,
        });
      }
      if (reply.descriptor !== undefined) closeSync(reply.descriptor);
      const [request] = split(bytes).frames;
      const problem = replyProblem(request!, reply);
      if (problem !== undefined) throw new Error(`${where}: ${problem}`);
      const kind = reply.errno === 0 ? 'success' : 'refused';
      answers.set(kind, (answers.get(kind) ?? 0) + 1);
    }
    // Neither all good nor all bad, or the frames are not what this test is about.
    expect(answers.get('success')).toBeGreaterThan(FRAMES / 10);
    expect(answers.get('refused')).toBeGreaterThan(FRAMES / 10);
    expect(readdirSync(`/proc/${helper.pid}/fd`).length).toBe(descriptors);
    const outside = [...snapshot(host).keys()].filter((name) => !name.startsWith('/export'));
    expect(outside).toEqual(['/', '/precious']);
    client.close();
    const { status, stderr } = await helper.exit();
    expect(status).toBe(0);
    expect(errorLines(stderr).filter((line) => !line.startsWith('warn: '))).toEqual([]);
  });

  it(
    'with a damaged header end the session with status 3 and change nothing',
    { timeout: 60_000 },
    async () => {
      const random = new Random(SEED);
      for (let round = 0; round < 20; round++) {
        const { client, helper, host } = begin();
        expect(client.request(requests.lstat('/')).errno).toBe(0);
        const before = snapshot(host);
        const header = random.bytes(8);
        // A type that exists, with a size that the frame does not keep, or no type at all.
        if (random.chance(0.5)) header.writeUInt32LE(2 + random.below(20), 0);
        else header.writeUInt32LE(22 + random.below(0x7fff_0000), 0);
        try {
          client.send(Buffer.concat([header, random.bytes(random.below(200))]));
          client.finishSending();
          client.receive(requestTypes.LSTAT);
        } catch (error) {
          expect(String(error)).toMatch(/closed the connection|EPIPE|ENOTCONN/);
          if (!(error instanceof WireError)) expect(error).toHaveProperty('errno');
        }
        expect((await helper.exit()).status, `header ${header.toString('hex')}`).toBe(3);
        expect(compareSnapshots(snapshot(host), before)).toEqual([]);
      }
    },
  );
});
