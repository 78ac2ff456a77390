/** What a session costs at the helper, and what it makes of requests that race, and of clients that want too much. */
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Limits, Session } from '../../src/server/session/session.js';
import { overStream } from '../../src/server/session/stream-channel.js';
import type { StreamEvents, StreamFactory } from '../../src/server/transports/stream.js';
import { whyNotRoot } from '../../harness/helper-process.js';
import { encodeMessage } from '../../harness/ninep-codec.js';
import { NOFID, NOTAG } from '../../harness/ninep-messages.js';
import { exportForTest } from '../../harness/tree.js';
import { helperInProcess, sessionInProcess, sessionOptions } from './session-in-process.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of a session skipped: ${skipped}`);

const RDWR = 2;
const CREATE = 0o100;

/** An export with `a/b/c/file`. */
function tree(): string {
  const path = exportForTest();
  mkdirSync(join(path, 'a/b/c'), { recursive: true });
  writeFileSync(join(path, 'a/b/c/file'), 'content');
  return path;
}

/** A session whose stream a test plays. */
function unreadSession(
  path: string,
  limits: Partial<Limits>,
): { events: StreamEvents; paused: () => boolean; replies: () => number } {
  let isPaused = false;
  let replies = 0;
  let events: StreamEvents | undefined;
  const connect: StreamFactory = (given) => {
    events = given;
    return {
      buffered: 0,
      send: () => replies++,
      pause: () => (isPaused = true),
      resume: () => (isPaused = false),
      expect: () => undefined,
      close: () => undefined,
    };
  };
  const options = sessionOptions(() => undefined, limits);
  const session = new Session(overStream(connect), helperInProcess(path), options);
  onTestFinished(() => {
    session.end();
  });
  return { events: events!, paused: () => isPaused, replies: () => replies };
}

describe.skipIf(skipped !== undefined)('trips to the helper', () => {
  it.each([1, 2, 4])('a walk of %i names is one', async (count) => {
    const { client, helper } = await sessionInProcess(tree());
    const before = helper.counts.trips;
    await client.request('Twalk', { fid: 0, newfid: 1, names: ['a', 'b', 'c', 'file'].slice(0, count) });
    expect(helper.counts.trips - before).toBe(1);
  });

  it('a look-up and a stat, as Linux makes them, are one', async () => {
    const { client, helper } = await sessionInProcess(tree());
    const before = helper.counts.trips;
    await client.request('Twalk', { fid: 0, newfid: 1, names: ['a'] });
    const { mode } = await client.request('Tgetattr', { fid: 1, mask: 0x7ffn });
    expect([helper.counts.trips - before, mode & 0o170000]).toEqual([1, 0o040000]);
    // asked once more, it is asked of the helper
    await client.request('Tgetattr', { fid: 1, mask: 0x7ffn });
    expect(helper.counts.trips - before).toBe(2);
  });

  it('a change in between has the helper asked', async () => {
    const { client, helper } = await sessionInProcess(tree());
    await client.request('Twalk', { fid: 0, newfid: 1, names: ['a'] });
    await client.request('Tmkdir', { dfid: 1, name: 'new', mode: 0o755, gid: 0 });
    const before = helper.counts.trips;
    expect((await client.request('Tgetattr', { fid: 1, mask: 0x7ffn })).nlink).toBe(4n);
    expect(helper.counts.trips - before).toBe(1);
  });

  it('open and close are one, and reading and writing none', async () => {
    const path = tree();
    const { client, helper } = await sessionInProcess(path);
    await client.request('Twalk', { fid: 0, newfid: 1, names: ['a', 'b', 'c', 'file'] });
    const before = helper.counts.trips;
    await client.request('Twalk', { fid: 1, newfid: 2, names: [] });
    await client.request('Tlopen', { fid: 2, flags: RDWR });
    expect((await client.request('Tread', { fid: 2, offset: 0n, count: 100 })).data.toString()).toBe(
      'content',
    );
    await client.request('Twrite', { fid: 2, offset: 7n, data: Buffer.from('s') });
    await client.request('Tclunk', { fid: 2 });
    expect(helper.counts.trips - before).toBe(1);
    expect(readFileSync(join(path, 'a/b/c/file'), 'utf8')).toBe('contents');
  });
});

describe.skipIf(skipped !== undefined)('requests at once', () => {
  it('on one fid never find it half changed', async () => {
    const path = tree();
    const { client } = await sessionInProcess(path);
    for (let round = 0; round < 200; round++) {
      const fid = 1000 + round;
      await client.request('Twalk', { fid: 0, newfid: fid, names: [] });
      const name = `made-${round}`;
      const sent = [
        client.outcome('Tlcreate', { fid, name, flags: CREATE | RDWR, mode: 0o644, gid: 0 }),
        client.outcome('Twalk', { fid, newfid: fid + 10_000, names: ['..', 'a'] }),
        client.outcome('Txattrwalk', { fid, newfid: fid + 20_000, name: 'user.none' }),
        client.outcome('Trename', { fid, dfid: 0, name: `renamed-${round}` }),
        client.outcome('Tclunk', { fid }),
        client.outcome('Tgetattr', { fid, mask: 0x7ffn }),
      ];
      expect(await Promise.all(sent)).toEqual([
        'ok',
        // of a file, which has nothing below it
        'ENOTDIR',
        'ENODATA',
        'ok',
        'ok',
        'EBADF',
      ]);
    }
    expect(readdirSync(path).filter((name) => name.startsWith('renamed-'))).toHaveLength(200);
  });

  it('may use a file in the same breath as they open it', async () => {
    const { client } = await sessionInProcess(tree());
    await client.request('Twalk', { fid: 0, newfid: 1, names: ['a', 'b', 'c', 'file'] });
    const opened = client.send('Tlopen', { fid: 1, flags: RDWR });
    const read = client.send('Tread', { fid: 1, offset: 0n, count: 100 });
    const closed = client.send('Tclunk', { fid: 1 });
    await opened.reply;
    expect((await read.reply).data.toString()).toBe('content');
    await closed.reply;
  });
});

describe.skipIf(skipped !== undefined)('a client that wants too much', () => {
  it('has as many fids as it may, and goes on with those', async () => {
    const { client } = await sessionInProcess(tree(), { fids: 10 });
    const results: string[] = [];
    for (let fid = 1; fid < 12; fid++) {
      results.push(await client.outcome('Twalk', { fid: 0, newfid: fid, names: [] }));
    }
    expect(results).toEqual([...Array<string>(9).fill('ok'), 'ENFILE', 'ENFILE']);
    await client.request('Tclunk', { fid: 3 });
    expect(await client.outcome('Twalk', { fid: 0, newfid: 30, names: ['a'] })).toBe('ok');
  });

  it('may send more requests than are looked at at once, and gets all answers', async () => {
    const { client } = await sessionInProcess(tree(), { requests: 4 });
    const sent = Array.from({ length: 300 }, () => client.request('Tgetattr', { fid: 0, mask: 0x7ffn }));
    expect(new Set((await Promise.all(sent)).map(({ mode }) => mode)).size).toBe(1);
  });

  it('is not heard on while it has as many requests as it may, however much came with one system call', async () => {
    const { events, paused, replies } = unreadSession(tree(), { requests: 4 });
    const version = encodeMessage('9P2000.L', 'Tversion', NOTAG, { msize: 65_536, version: '9P2000.L' });
    events.received(version);
    events.received(
      encodeMessage('9P2000.L', 'Tattach', 0, { fid: 0, afid: NOFID, uname: 'root', aname: '', n_uname: 0 }),
    );
    await vi.waitFor(() => {
      expect(replies()).toBe(2);
    });
    const asked = Array.from({ length: 300 }, (_, tag) =>
      encodeMessage('9P2000.L', 'Tgetattr', tag, { fid: 0, mask: 0x7ffn }),
    );
    expect(events.received(Buffer.concat(asked))).toBe(4 * asked[0]!.length);
    expect(paused()).toBe(true);
  });

  it('that breaks the protocol is sent away with the reason', async () => {
    const { client, ended } = await sessionInProcess(tree());
    const refused = client.raw(Buffer.from('06000000780100', 'hex'));
    refused.catch(() => undefined);
    expect(await ended).toMatch(/^it broke the protocol: a message of 6 bytes, less than its header$/);
  });
});

describe.skipIf(skipped !== undefined)('qid.version', () => {
  it('is 0 for a coherent share, and else never', async () => {
    const path = tree();
    const version = async (coherent: boolean): Promise<number> => {
      const { client } = await sessionInProcess(path, {}, coherent);
      return (await client.request('Tgetattr', { fid: 0, mask: 0x7ffn })).qid.version;
    };
    expect(await version(true)).toBe(0);
    expect(await version(false)).not.toBe(0);
  });
});

describe.skipIf(skipped !== undefined)('the end of a session', () => {
  const openOn = (name: string): number =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).endsWith(name);
      } catch {
        return false;
      }
    }).length;
  const BROKEN = Buffer.from([3, 0, 0, 0, 0, 0, 0]);

  it('closes what is being opened', async () => {
    const { client, helper, ended } = await sessionInProcess(tree());
    await client.request('Twalk', { fid: 0, newfid: 1, names: ['a', 'b', 'c', 'file'] });
    void client.send('Tlopen', { fid: 1, flags: RDWR });
    client.write(BROKEN);
    expect(await ended).toMatch(/broke the protocol/);
    // what was asked before has been answered
    await helper.request('lstat', { path: Buffer.from('/') });
    await expect.poll(() => openOn('/a/b/c/file')).toBe(0);
  });

  it('closes what is being opened for a lock', async () => {
    const { client, helper, ended } = await sessionInProcess(tree());
    await client.request('Twalk', { fid: 0, newfid: 1, names: ['a', 'b', 'c', 'file'] });
    await client.request('Tlopen', { fid: 1, flags: RDWR });
    const lock = { fid: 1, type: 1, flags: 0, start: 0, length: 1, client_id: 'guest' };
    await client.request('Tlock', { ...lock, proc_id: 1 });
    void client.send('Tlock', { ...lock, proc_id: 2, start: 5 });
    client.write(BROKEN);
    expect(await ended).toMatch(/broke the protocol/);
    await helper.request('lstat', { path: Buffer.from('/') });
    await expect.poll(() => openOn('/a/b/c/file')).toBe(0);
  });
});
