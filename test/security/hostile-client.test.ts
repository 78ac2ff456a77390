/** A client that is slow, silent, greedy or gone: it costs nothing, blocks no signal, and gets no memory. */
import { closeSync, openSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type HelperProcess, sessionForTest } from '../../harness/helper-process.js';
import { setXattr } from '../../harness/libc.js';
import { d, frame, requests, requestTypes } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import type { WireClient } from '../../harness/wire-client.js';
import { sendDescriptors } from '../../harness/kernel.js';
import { PipelinedReplies } from '../../harness/pipelined-replies.js';
import { cpuShare, openDescriptors, pause, residentKib } from '../../harness/process-usage.js';
import { skipUnlessRoot } from '../../harness/root-only.js';
import { patience } from '../../harness/patience.js';

const skip = skipUnlessRoot('hostile clients');
const WATCHED_MS = 2_000;
/** One per cent is what it is; the rest is for a busy machine and a coarse clock. */
const NEARLY_IDLE = 0.1;
/** A second is what is promised, measured on a machine that may have other things to do. */
const SIGNAL_MS = 5_000 * patience;
/** More than a session needs, less than a client could send. */
const GROWTH_KIB = 24 * 1_024;
const PIPELINED = 5_000;
const FILES = 20;

/** A bug for a path of one length: it is copied so only when it is longer than most. */
const BUG_LENGTH = 300;
const THROW_FOR_A_LENGTH = `
const { set } = Uint8Array.prototype.__proto__;
Uint8Array.prototype.__proto__.set = function (source, at) {
  if (source.length === ${BUG_LENGTH}) throw new Error('injected');
  return set.call(this, source, at);
};
`;

interface Served {
  readonly client: WireClient;
  readonly helper: HelperProcess;
  readonly directory: string;
}

/** A session that has answered something, so that its start is over. */
function serve(): Served {
  const directory = exportForTest();
  for (let file = 0; file < FILES; file++) writeFileSync(join(directory, `f${file}`), 'content');
  setXattr(Buffer.from(join(directory, 'f0')), Buffer.from('user.large'), Buffer.alloc(3_000, 'v'));
  const session = sessionForTest(directory);
  for (let warm = 0; warm < 100; warm++) session.client.request(requests.lstat('/f1'));
  return { ...session, directory };
}

async function expectPromptStop(helper: HelperProcess): Promise<void> {
  const began = Date.now();
  helper.child.kill('SIGTERM');
  const { status, signal } = await helper.exit(SIGNAL_MS);
  console.log(`SIGTERM was answered in ${Date.now() - began} ms`);
  expect({ status, signal }).toEqual({ status: 0, signal: null });
}

/** Requests whose replies nobody reads, until the helper takes no more. */
async function fillUp(client: WireClient): Promise<void> {
  const greedy = Buffer.concat(
    Array.from({ length: 500 }, () => requests.lgetxattr(65_536, '/f0', 'user.large')),
  );
  for (let refused = 0; refused < 5;) {
    if (client.trySend(greedy)) refused = 0;
    else refused++;
    await pause(20);
  }
}

const largeRequest = (): Buffer => requests.lstat(`/${'./'.repeat(40)}f1`);

describe.skipIf(skip)('a hostile client', { timeout: 60_000 }, () => {
  it('that is silent costs nothing', async () => {
    const { helper } = serve();
    await pause(200);
    const share = await cpuShare(helper.pid, WATCHED_MS);
    expect(share).toBeLessThan(NEARLY_IDLE);
    await expectPromptStop(helper);
  });

  it('that stops reading costs nothing, gets no memory and blocks no signal', async () => {
    const { client, helper } = serve();
    const before = residentKib(helper.pid);
    await fillUp(client);
    const share = await cpuShare(helper.pid, WATCHED_MS);
    const growth = residentKib(helper.pid) - before;
    console.log(`not reading: ${(share * 100).toFixed(1)} % of a processor, ${growth} KiB more`);
    expect(share).toBeLessThan(NEARLY_IDLE);
    expect(growth).toBeLessThan(GROWTH_KIB);
    await expectPromptStop(helper);
  });

  it('that stops reading is served on when it reads again', async () => {
    const { client, directory } = serve();
    client.send(
      Buffer.concat(Array.from({ length: PIPELINED }, (_, index) => requests.lstat(`/f${index % FILES}`))),
    );
    await pause(300);
    const replies = new PipelinedReplies(client.fd);
    const inodes = Array.from(
      { length: FILES },
      (_, file) => statSync(join(directory, `f${file}`), { bigint: true }).ino,
    );
    for (let index = 0; index < PIPELINED; index++) {
      const reply = replies.receive(requestTypes.LSTAT);
      expect(reply.payload.readBigUInt64LE(8)).toBe(inodes[index % FILES]);
    }
    expect(replies.ready()).toBe(false);
    // the helper sleeps again, in another way than before
    await pause(100);
    expect(client.request(requests.lstat('/f3')).payload.readBigUInt64LE(8)).toBe(inodes[3]);
  });

  it('that asks for thousands of descriptors and takes none leaves none open in the helper', async () => {
    const { client, helper } = serve();
    const base = openDescriptors(helper.pid);
    const before = residentKib(helper.pid);
    client.send(Buffer.concat(Array.from({ length: PIPELINED }, () => requests.open('/f0', 0))));
    await pause(500);
    // one on its way, and what it was located by
    expect(openDescriptors(helper.pid)).toBeLessThanOrEqual(base + 2);
    expect(residentKib(helper.pid) - before).toBeLessThan(GROWTH_KIB);
    const replies = new PipelinedReplies(client.fd);
    for (let index = 0; index < PIPELINED; index++) closeSync(replies.receive(requestTypes.OPEN).descriptor!);
    await expect.poll(() => openDescriptors(helper.pid), { timeout: 10_000 }).toBe(base);
  });

  it('that sends one byte at a time is answered, and costs little', async () => {
    const { client, helper } = serve();
    const bytes = largeRequest();
    const share = cpuShare(helper.pid, WATCHED_MS);
    for (const byte of bytes) {
      client.send(Buffer.of(byte));
      await pause(20);
    }
    expect(client.receive(requestTypes.LSTAT).errno).toBe(0);
    expect(await share).toBeLessThan(0.5);
  });

  it.each([1, 7, 8, 9, 60])(
    'that stops after %i bytes of a request costs nothing and blocks no signal',
    async (count) => {
      const { client, helper } = serve();
      client.send(largeRequest().subarray(0, count));
      await pause(200);
      expect(await cpuShare(helper.pid, WATCHED_MS)).toBeLessThan(NEARLY_IDLE);
      await expectPromptStop(helper);
    },
  );

  it.each([1, 7, 8, 9, 60])(
    'that vanishes after %i bytes of a request ends the helper with a status that tells',
    async (count) => {
      const { client, helper } = serve();
      client.send(largeRequest().subarray(0, count));
      client.close();
      expect(await helper.exit()).toMatchObject({ status: 3, signal: null });
    },
  );

  it('that vanishes without reading its replies ends the helper', async () => {
    const { client, helper } = serve();
    client.send(Buffer.concat(Array.from({ length: 300 }, () => requests.open('/f0', 0))));
    await pause(50);
    client.close();
    expect(await helper.exit()).toMatchObject({ signal: null });
  });

  it('that sends no more is answered to the end', async () => {
    const { client, helper } = serve();
    client.send(Buffer.concat([requests.lstat('/f1'), requests.open('/f1', 0), requests.lstat('/none')]));
    client.finishSending();
    const replies = new PipelinedReplies(client.fd);
    expect(replies.receive(requestTypes.LSTAT).errno).toBe(0);
    closeSync(replies.receive(requestTypes.OPEN).descriptor!);
    expect(replies.receive(requestTypes.LSTAT).errno).toBe(2);
    expect(await helper.exit()).toMatchObject({ status: 0, signal: null });
  });

  it.each([65_537, 0x7fffffff, 0x80000000, 0xffffffff])(
    'that announces %i bytes is sent away',
    async (size) => {
      const { client, helper } = serve();
      client.send(Buffer.concat([d(requestTypes.LSTAT), d(size), Buffer.alloc(100)]));
      expect(client.atEnd()).toBe(true);
      expect(await helper.exit()).toMatchObject({ status: 3, signal: null });
    },
  );

  it('that sends the most that is allowed is answered', () => {
    const { client } = serve();
    expect(client.request(frame(requestTypes.LSTAT, Buffer.alloc(65_536, 0xff))).errno).toBeGreaterThan(0);
    expect(
      client.request(frame(requestTypes.STATFS, Buffer.from([1, 0, 0x2f]), Buffer.alloc(65_533))).errno,
    ).toBe(0);
  });

  it('that sends descriptors gets them closed', async () => {
    const { client, helper } = serve();
    const base = openDescriptors(helper.pid);
    const own = openSync('/dev/null', 'r');
    for (let index = 0; index < 200; index++) {
      // now and then the event loop of the helper is at work, not its own loop
      if (index % 20 === 0) await pause(30);
      sendDescriptors(client.fd, requests.lstat('/f1'), [own, own, own]);
      expect(client.receive(requestTypes.LSTAT).errno).toBe(0);
    }
    closeSync(own);
    expect(openDescriptors(helper.pid)).toBe(base);
  });

  it('cannot fill the disk with the stacks of a bug', () => {
    const directory = exportForTest();
    const preload = join(directory, 'bug.cjs');
    writeFileSync(preload, THROW_FOR_A_LENGTH);
    const env = { ...process.env, NODE_OPTIONS: `--require ${preload}` };
    const { client, helper } = sessionForTest(directory, { env });
    const path = `/${'b'.repeat(BUG_LENGTH - 1)}`;
    for (let index = 0; index < 1_000; index++) {
      expect(client.request(requests.lstat(path)).errno, helper.stderr()).toBe(5);
    }
    expect(client.request(requests.lstat('/bug.cjs')).errno).toBe(0);
    expect(helper.stderr()).toContain('an operation failed by a bug');
    expect(helper.stderr()).toContain('injected');
    expect(helper.stderr().length).toBeLessThan(64 * 1_024);
  });

  it('cannot fill the disk with log lines', () => {
    const { client, helper } = serve();
    const malformed = frame(requestTypes.LSTAT, Buffer.of(255, 255));
    for (let index = 0; index < 20_000; index++) {
      expect(client.request(malformed).errno).toBe(105);
    }
    expect(helper.stderr().length).toBeGreaterThan(0);
    expect(helper.stderr().length).toBeLessThan(64 * 1_024);
  });
});
