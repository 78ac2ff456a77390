/**
 * Descriptors on their way count for the user of the helper, over all helpers of the host: no client may have many of them,
 * and none may be ended because there are too many.
 */
import { closeSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sessionForTest } from '../../harness/helper-process.js';
import { errnoName, setXattr, socketpair } from '../../harness/libc.js';
import { requests, requestTypes } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { sendDescriptors } from '../../harness/kernel.js';
import { PipelinedReplies } from '../../harness/pipelined-replies.js';
import { openDescriptors, pause } from '../../harness/process-usage.js';
import { skipUnlessRoot } from '../../harness/root-only.js';

const skip = skipUnlessRoot('descriptors in flight');
const LIMIT = 128;
/** A few more than one socket holds. */
const FEW = 16;
const O_CREATE = 0x42;
const owner = { uid: 0, gid: 0 };

/** An export with a file, served by a helper that may have few descriptors. */
function serve(base = tmpdir()): ReturnType<typeof sessionForTest> & { directory: string } {
  const directory = exportForTest(base);
  writeFileSync(join(directory, 'file'), 'content');
  const session = sessionForTest(directory, { args: ['--rlimit-nofile', String(LIMIT)] });
  expect(session.client.request(requests.lstat('/file')).errno, session.helper.stderr()).toBe(0);
  return { ...session, directory };
}

/** Has more descriptors of this user on their way than the helper may have. @returns what takes them */
function park(): () => void {
  const pair = socketpair();
  const own = openSync('/dev/null', 'r');
  for (let count = 0; count <= LIMIT; count += 8) sendDescriptors(pair[0], Buffer.of(1), Array(8).fill(own));
  closeSync(own);
  let parked = true;
  const take = (): void => {
    if (parked) pair.forEach(closeSync);
    parked = false;
  };
  onTestFinished(take);
  return take;
}

describe.skipIf(skip)('descriptors on their way', { timeout: 60_000 }, () => {
  it.each(['together', 'one after another'])(
    'are few when a client takes none and asks for many %s',
    async (how) => {
      const { client, helper } = serve();
      const open = requests.open('/file', 0);
      if (how === 'together') client.send(Buffer.concat(Array.from({ length: 1_000 }, () => open)));
      else
        for (let index = 0; index < 100; index++) {
          client.send(open);
          await pause(2);
        }
      await pause(200);
      helper.child.kill('SIGSTOP');
      await pause(50);
      const replies = new PipelinedReplies(client.fd);
      let onTheirWay = 0;
      for (; replies.ready(); onTheirWay++) closeSync(replies.receive(requestTypes.OPEN).descriptor!);
      helper.child.kill('SIGCONT');
      expect(onTheirWay).toBeGreaterThan(0);
      expect(onTheirWay).toBeLessThanOrEqual(FEW);
    },
  );

  it('that are too many for one user are an errno of OPEN and CREATE, not the end of the session', async () => {
    const { client, helper, directory } = serve();
    const base = openDescriptors(helper.pid);
    const take = park();
    for (let index = 0; index < 100; index++) {
      expect(errnoName(client.request(requests.open('/file', 0)).errno)).toBe('ETOOMANYREFS');
      const created = client.request(requests.create('/new', O_CREATE, 0o644, owner));
      expect(errnoName(created.errno)).toBe('ETOOMANYREFS');
      expect(errnoName(client.request(requests.lstat('/file')).errno)).toBe('success');
    }
    expect(openDescriptors(helper.pid)).toBe(base);
    expect(helper.stderr()).toContain('could not pass an open file to the client (error=ETOOMANYREFS)');
    expect(helper.stderr().split('\n').length).toBeLessThan(20);
    take();
    const again = async (): Promise<string> => {
      const { errno, descriptor } = client.request(requests.open('/file', 0));
      if (descriptor !== undefined) closeSync(descriptor);
      await pause(10);
      return errnoName(errno);
    };
    await expect.poll(again).toBe('success');
    expect(readdirSync(directory)).toContain('new');
  });

  it('that become too many while the client does not read are an errno, in the right order', async () => {
    const { client, helper } = serve();
    const asked = 100;
    const pairs = Array.from({ length: asked }, () => [requests.open('/file', 0), requests.lstat('/file')]);
    client.send(Buffer.concat(pairs.flat()));
    await pause(200);
    park();
    const replies = new PipelinedReplies(client.fd);
    const errors: string[] = [];
    for (let index = 0; index < asked; index++) {
      const opened = replies.receive(requestTypes.OPEN);
      if (opened.descriptor !== undefined) closeSync(opened.descriptor);
      errors.push(errnoName(opened.errno));
      expect(replies.receive(requestTypes.LSTAT).errno).toBe(0);
    }
    expect(errors[0]).toBe('success');
    expect(errors.at(-1)).toBe('ETOOMANYREFS');
    expect(new Set(errors)).toEqual(new Set(['success', 'ETOOMANYREFS']));
    expect(errnoName(client.request(requests.lstat('/')).errno), helper.stderr()).toBe('success');
  });

  it.each([3_500, 4_000, 8_000, 30_000, 65_527])('leave room for replies of %i bytes', (size) => {
    const { client, directory } = serve('/dev/shm');
    const value = Buffer.alloc(size, 'large');
    try {
      setXattr(Buffer.from(join(directory, 'file')), Buffer.from('user.large'), value);
    } catch (error) {
      console.warn(`not tried: no attributes of ${size} bytes on /dev/shm: ${String(error)}`);
      return;
    }
    for (let again = 0; again < 3; again++) {
      const { payload } = client.request(requests.lgetxattr(65_535, '/file', 'user.large'));
      expect(payload.subarray(2).equals(value)).toBe(true);
      expect(client.request(requests.lstat('/file')).errno).toBe(0);
    }
  });
});
