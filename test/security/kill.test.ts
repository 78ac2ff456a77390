/**
 * SIGKILL at random moments, while starting and while working. Each helper starts at the socket path that the killed
 * one left behind.
 *
 *   VIRTFS_KILL_ROUNDS  how many kills (25); in full:
 *   VIRTFS_KILL_ROUNDS=1000 npm test -- test/security/kill.test.ts
 */
import { closeSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Random } from '../../harness/random.js';
import { HelperProcess, nobodyListens } from '../../harness/helper-process.js';
import { SystemError } from '../../harness/libc.js';
import { requests } from '../../harness/requests.js';
import { makeExport, removeTree } from '../../harness/tree.js';
import { type Reply, WireClient, WireError } from '../../harness/wire-client.js';
import { type Change, changes, isCreate } from './kill-batch.js';
import { PipelinedReplies } from '../../harness/pipelined-replies.js';
import { pause } from '../../harness/process-usage.js';
import { countFrom, skipUnlessRoot } from '../../harness/root-only.js';
import { patience } from '../../harness/patience.js';

const skip = skipUnlessRoot('kills');
const rounds = countFrom('VIRTFS_KILL_ROUNDS', 25);
/** About what a socket holds of unread replies, so that the helper never waits for us. */
const BATCH = 200;
const START_MS = 20_000 * patience;
/** How often the helper is killed before it serves. */
const WHILE_STARTING = 0.2;
const STARTING_MS = 500;

/** Connects as soon as the helper listens. */
async function connect(path: string, helper: HelperProcess): Promise<WireClient> {
  const deadline = Date.now() + START_MS;
  for (;;) {
    try {
      return WireClient.connect(path);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      if (helper.child.exitCode !== null) throw new Error(`no start: ${helper.stderr()}`, { cause: error });
      if (Date.now() > deadline) throw new Error(`not listening: ${helper.stderr()}`, { cause: error });
      await pause(5);
    }
  }
}

/** Reads replies until `count` or until the helper has gone. Writes to what was created, as the client would. */
function readReplies(
  replies: PipelinedReplies,
  batch: readonly Change[],
  from: number,
  count: number,
): number {
  for (let index = from; index < count; index++) {
    let reply: Reply;
    try {
      reply = replies.receive(batch[index]!.type);
    } catch (error) {
      if (error instanceof WireError && error.message.includes('closed')) return index;
      throw error;
    }
    expect(reply.errno, `the answer to request ${index}`).toBe(0);
    if (reply.descriptor === undefined) continue;
    writeSync(reply.descriptor, 'written');
    closeSync(reply.descriptor);
  }
  return count;
}

function check(root: string, batch: readonly Change[], answered: number): void {
  const found = batch.map((change) => change.look());
  expect(found.indexOf('half'), 'a half-made object').toBe(-1);
  expect(
    found.slice(0, answered).every((state) => state === 'done'),
    'what was answered is done',
  ).toBe(true);
  // the one it was working on may be either; nobody has begun with those behind it
  expect(
    found.slice(answered + 1).every((state) => state === 'untouched'),
    'what was not reached is untouched',
  ).toBe(true);
  const expected = new Set(batch.flatMap(({ names }) => names));
  expect(
    readdirSync(root).filter((name) => !expected.has(name)),
    'files that nobody asked for',
  ).toEqual([]);
  for (const change of batch.slice(0, answered).filter(isCreate)) {
    expect(readFileSync(join(root, change.names[0]!), 'utf8')).toBe('written');
  }
}

describe.skipIf(skip)('SIGKILL', () => {
  it(
    `${rounds} times leaves nothing half made, and no way to keep the next one from starting`,
    { timeout: 24 * 3_600_000 },
    async () => {
      const base = makeExport();
      let helper: HelperProcess | undefined;
      onTestFinished(async () => {
        await helper?.stop();
        removeTree(base);
      });
      const [root, socket] = [join(base, 'export'), join(base, 'socket')];
      const random = new Random(1);
      const tally = { starting: 0, working: 0, answered: 0, inFlight: 0, socketLeft: 0 };
      for (let round = 0; round < rounds; round++) {
        rmSync(root, { recursive: true, force: true });
        mkdirSync(root);
        if (existsSync(socket)) tally.socketLeft++;
        helper = new HelperProcess(['-n', '-p', root, '-s', socket]);
        if (random.chance(WHILE_STARTING)) {
          await pause(random.below(STARTING_MS));
          tally.starting++;
        } else {
          const batch = changes(root, random, BATCH);
          const client = await connect(socket, helper);
          expect(client.request(requests.lstat('/')).errno).toBe(0);
          client.send(Buffer.concat(batch.map(({ bytes }) => bytes)));
          const replies = new PipelinedReplies(client.fd);
          const read = readReplies(replies, batch, 0, random.below(BATCH));
          helper.child.kill('SIGKILL');
          const answered = readReplies(replies, batch, read, BATCH);
          await helper.exit();
          client.close();
          check(root, batch, answered);
          tally.working++;
          tally.answered += answered;
          if (answered < BATCH) tally.inFlight++;
        }
        await helper.stop();
        await nobodyListens(socket);
      }
      console.log(`${rounds} kills: ${JSON.stringify(tally)}`);
      expect(tally.inFlight, 'kills that met a request').toBeGreaterThan(rounds / 10);
    },
  );
});
