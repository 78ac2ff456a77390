/** Clients that behave badly, and clients that race, at a share that has others. */
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { isAlive } from '../../harness/run-process.js';
import { openDescriptors, pause, residentKib } from '../../harness/process-usage.js';
import { whyNotRoot } from '../../harness/helper-process.js';
import { encodeMessage } from '../../harness/ninep-codec.js';
import { type Address, NinepClient } from '../../harness/ninep-client.js';
import { patience } from '../../harness/patience.js';
import { open, outcome, Scene } from './acceptance/scene.js';
import { sharedForTest, ShareProcess } from '../../harness/share-process.js';
import { exportForTest } from '../../harness/tree.js';

const skipped = whyNotRoot();
const suffix = skipped === undefined ? '' : ` (${skipped})`;
const WAIT = { timeout: 20_000 * patience, interval: 20 };
const MAX_GROWTH_KIB = 60_000;

interface Guests {
  readonly share: ShareProcess;
  readonly directory: string;
  readonly bad: Scene;
  readonly neighbour: Scene;
  /** The processes of the bad one: the server, and the helper. */
  readonly pids: readonly [number, number];
}

/** How guests reach the share. */
const transports = ['unix', 'tcp'] as const;

async function shareOver(
  transport: (typeof transports)[number],
): Promise<{ share: ShareProcess; directory: string; address: Address }> {
  if (transport === 'unix') {
    const { share, path, directory } = await sharedForTest('--keep-listening');
    return { share, directory, address: { path } };
  }
  const directory = exportForTest();
  const [host, port] = ['127.0.0.1', await unusedPort()];
  const args = [`--path=${directory}`, `--listen=tcp:${host}:${port}`, '--keep-listening'];
  return { share: await new ShareProcess(args).ready(), directory, address: { host, port } };
}

async function guests(transport: (typeof transports)[number] = 'unix'): Promise<Guests> {
  const { share, directory, address } = await shareOver(transport);
  const guest = {
    export: directory,
    connect: () => NinepClient.connect(address),
    stop: () => Promise.resolve(),
  };
  const bad = await Scene.enter(guest);
  const pids = [share.servers()[0]!, share.helpers()[0]!] as const;
  const neighbour = await Scene.enter(guest);
  share.remember();
  return { share, directory, bad, neighbour, pids };
}

/** A port that nobody has at this moment. */
async function unusedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Takes fids, and has a file open by each of the first of them. */
async function takeFids(bad: Scene, count: number, files: number): Promise<number[]> {
  const fids = Array.from({ length: count }, () => bad.client.newFid());
  const walk = (newfid: number): Promise<object> =>
    bad.client.request('Twalk', { fid: bad.directory, newfid, names: [] });
  for (let from = 0; from < fids.length; from += 100)
    await Promise.all(fids.slice(from, from + 100).map(walk));
  for (let from = 0; from < files; from += 100) {
    const some = fids
      .slice(from, from + 100)
      .map((fid) =>
        bad.client.request('Tlcreate', { fid, name: `open-${fid}`, flags: open.RDWR, mode: 0o644, gid: 0 }),
      );
    await Promise.all(some);
  }
  return fids;
}

/** The other guest works as ever. */
async function expectService({ neighbour }: Guests): Promise<void> {
  for (let round = 0; round < 20; round++) {
    const fid = await neighbour.create(`file-${round}`);
    await neighbour.write(fid, 'content');
    expect(await neighbour.read(fid)).toBe('content');
    await neighbour.clunk(fid);
  }
}

/** The bad one leaves, with all that was its own, and nobody else. */
async function expectFreed({ bad, share, pids }: Guests): Promise<void> {
  bad.leave().close();
  await vi.waitFor(() => {
    expect(pids.map(isAlive)).toEqual([false, false]);
  }, WAIT);
  expect(share.servers()).toHaveLength(1);
  expect(share.helpers()).toHaveLength(1);
}

const overEach = describe.skipIf(skipped !== undefined).each(transports);

overEach(`a client of a share over %s${suffix}`, { timeout: 120_000 }, (transport) => {
  it('that asks and asks, and reads nothing, is not served on, and costs nothing more', async () => {
    const all = await guests(transport);
    const { bad, pids } = all;
    writeFileSync(bad.host('large'), Buffer.alloc(65_536));
    const fid = await bad.open('large');
    const before = pids.map(residentKib);
    bad.client.pause();
    const { dialect } = bad.client;
    const read = (tag: number): Buffer =>
      encodeMessage(dialect, 'Tread', tag, { fid, offset: 0, count: 60_000 });
    const look = (tag: number): Buffer => encodeMessage(dialect, 'Tgetattr', tag, { fid: 0, mask: 0x7ff });
    // their tags may be used again as it gets no reply that says so
    const asked = Array.from({ length: 60_000 }, (_, tag) => (tag % 2 === 0 ? read(tag) : look(tag)));
    // as many as can be with one system call
    process.kill(pids[0], 'SIGSTOP');
    bad.client.write(Buffer.concat(asked));
    await pause(100);
    process.kill(pids[0], 'SIGCONT');
    await expectService(all);
    const growth = pids.map((pid, nth) => residentKib(pid) - before[nth]!);
    expect(Math.max(...growth)).toBeLessThan(MAX_GROWTH_KIB);
    await expectFreed(all);
  });

  it('that sends a byte now and then keeps nobody waiting', async () => {
    const all = await guests(transport);
    const bytes = encodeMessage(all.bad.client.dialect, 'Tgetattr', 9, { fid: 0, mask: 0x7ff });
    for (const [nth] of bytes.entries()) {
      all.bad.client.write(bytes.subarray(nth, nth + 1));
      if (nth % 5 === 0) await expectService(all);
      await pause(20);
    }
    await expectFreed(all);
  });

  it('that leaves with 10,000 fids, and more files open than descriptors, leaves nothing', async () => {
    const all = await guests(transport);
    const { bad, pids } = all;
    const before = pids.map(residentKib);
    const fids = await takeFids(bad, 10_000, 1_200);
    expect(await bad.write(fids[0]!, 'the oldest one')).toBe(14);
    await expectService(all);
    const growth = pids.map((pid, nth) => residentKib(pid) - before[nth]!);
    expect(Math.max(...growth)).toBeLessThan(MAX_GROWTH_KIB);
    await expectFreed(all);
  });

  it('that takes fids and files and begins anew, again and again, has no more descriptors and memory', async () => {
    const all = await guests(transport);
    const { bad, pids } = all;
    const descriptors = pids.map(openDescriptors);
    const resident: number[][] = [];
    for (let round = 0; round < 4; round++) {
      await takeFids(bad, 5_000, 300);
      await bad.client.version();
      await bad.client.attach(bad.root);
      await bad.client.request('Twalk', { fid: bad.root, newfid: bad.directory, names: [bad.name] });
      await vi.waitFor(() => {
        expect(pids.map(openDescriptors)).toEqual(descriptors);
      }, WAIT);
      resident.push(pids.map(residentKib));
    }
    const growth = pids.map((_, nth) => resident.at(-1)![nth]! - resident[0]![nth]!);
    expect(Math.max(...growth)).toBeLessThan(MAX_GROWTH_KIB / 2);
    await expectService(all);
    await expectFreed(all);
  });
});

describe.skipIf(skipped !== undefined)(`two clients that race${suffix}`, { timeout: 120_000 }, () => {
  it('lose no lock: a counter under a lock counts all', async () => {
    const { bad, neighbour, share } = await guests();
    const both = [bad, await neighbour.another()];
    const ROUNDS = 100;
    writeFileSync(join(bad.server.export, 'counter'), '0');
    const count = async (scene: Scene): Promise<void> => {
      const fid = await scene.walk(['counter'], scene.root);
      await scene.client.request('Tlopen', { fid, flags: open.RDWR });
      const lock = (type: number): Promise<{ status: number }> =>
        scene.client.request('Tlock', {
          fid,
          type,
          flags: 0,
          start: 0,
          length: 0,
          proc_id: 1,
          client_id: 'guest',
        });
      for (let round = 0; round < ROUNDS; round++) {
        while ((await lock(1)).status !== 0) await pause(1);
        const value = Number(await scene.read(fid));
        await scene.write(fid, String(value + 1));
        expect((await lock(2)).status).toBe(0);
      }
    };
    await Promise.all(both.map(count));
    expect(readFileSync(join(bad.server.export, 'counter'), 'utf8')).toBe(String(2 * ROUNDS));
    expect(share.stderr).not.toContain('bug');
  });

  it('see what local processes would: names are there, or not', async () => {
    const { bad, neighbour, share } = await guests();
    const other = await neighbour.another();
    const seen = new Set<string>();
    const race = async (scene: Scene, seed: number): Promise<void> => {
      const place = await scene.walk([], scene.root);
      for (let round = 0; round < 150; round++) {
        const name = `name-${(round * seed) % 3}`;
        const to = `name-${(round + seed) % 3}`;
        const fid = await scene.walk([], scene.root);
        const create = { fid, name, flags: open.RDWR | open.CREATE | open.EXCL, mode: 0o644, gid: 0 };
        seen.add(`create ${await outcome(scene.client.request('Tlcreate', create))}`);
        const move = { olddirfid: place, oldname: name, newdirfid: place, newname: to };
        seen.add(`rename ${await outcome(scene.client.request('Trenameat', move))}`);
        seen.add(
          `remove ${await outcome(scene.client.request('Tunlinkat', { dirfd: place, name: to, flags: 0 }))}`,
        );
        await scene.clunk(fid);
      }
    };
    await Promise.all([race(bad, 5), race(other, 7)]);
    const local = ['create ok', 'create EEXIST', 'rename ok', 'rename ENOENT', 'remove ok', 'remove ENOENT'];
    expect([...seen].filter((result) => !local.includes(result))).toEqual([]);
    expect(share.stderr).not.toContain('bug');
  });
});
