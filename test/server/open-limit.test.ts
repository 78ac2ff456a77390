/** A client that has more files open, and more locks, than it may have descriptors. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import { exportForTest } from '../../harness/tree.js';
import { open, Scene } from './acceptance/scene.js';
import { sessionInProcess } from './session-in-process.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of the limit on open files skipped: ${skipped}`);

const LIMIT = 4;
const UNLOCK = 2;
const descriptors = (): number => readdirSync('/proc/self/fd').length;

interface Limited {
  readonly scene: Scene;
  /** How many descriptors have come since the start. */
  readonly more: () => number;
}

async function limited(openFiles = LIMIT): Promise<Limited> {
  const path = exportForTest();
  const { client } = await sessionInProcess(path, { openFiles });
  const scene = await Scene.enter({
    export: path,
    connect: () => Promise.resolve(client),
    stop: () => Promise.resolve(),
  });
  const before = descriptors();
  return { scene, more: () => descriptors() - before };
}

/** Makes some other files, so that all others have given their descriptors back. */
async function fill(scene: Scene, count = 2 * LIMIT): Promise<number[]> {
  const fids: number[] = [];
  for (let nth = 0; nth < count; nth++) fids.push(await scene.create(`filler-${scene.client.newFid()}`));
  return fids;
}

function lock(scene: Scene, fid: number, process: number, type = 1, start = 0): Promise<string> {
  const fields = {
    fid,
    type,
    flags: 0,
    start,
    length: start === 0 ? 0 : 1,
    proc_id: process,
    client_id: 'guest',
  };
  return scene.client.request('Tlock', fields).then(
    ({ status }) => (status === 0 ? 'ok' : 'blocked'),
    (error: unknown) => (error as { code: string }).code,
  );
}

describe.skipIf(skipped !== undefined)('more open files than descriptors', { timeout: 60_000 }, () => {
  it('work as if each had its own, however they are used', async () => {
    const all = await limited();
    const { scene } = all;
    const fids = await fill(scene, 16);
    expect(all.more()).toBeLessThanOrEqual(LIMIT);
    for (let round = 0; round < 4; round++) {
      // all at once, so that what has its descriptor runs beside what has not
      await Promise.all(
        fids.map(async (fid, nth) => {
          if ((nth * 7 + round) % 3 === 0) await scene.getattr(fid);
          const text = `${round} of ${nth}`;
          await scene.write(fid, text, round * 100);
          expect(await scene.read(fid, round * 100)).toBe(text);
        }),
      );
    }
    expect(all.more()).toBeLessThanOrEqual(LIMIT);
    for (const [nth, fid] of fids.entries()) {
      expect(await scene.read(fid, 300)).toBe(`3 of ${nth}`);
      await scene.client.request('Tfsync', { fid, datasync: 0 });
      expect((await scene.getattr(fid)).size).toBe(BigInt(300 + `3 of ${nth}`.length));
      await scene.clunk(fid);
    }
    expect(all.more()).toBe(0);
  });

  it('are opened again as they were, but neither made nor emptied', async () => {
    const all = await limited();
    const { scene } = all;
    writeFileSync(scene.host('log'), 'first\n');
    writeFileSync(scene.host('emptied'), 'old');
    const log = await scene.open('log', open.WRONLY | open.APPEND);
    const emptied = await scene.open('emptied', open.RDWR | open.TRUNC);
    const made = await scene.create('made', open.RDWR | open.EXCL | open.TRUNC);
    const reader = await scene.open('log');
    await scene.write(emptied, 'new');
    await scene.write(made, 'kept');
    await fill(scene);
    await scene.write(log, 'last\n', 0);
    expect(readFileSync(scene.host('log'), 'utf8')).toBe('first\nlast\n');
    expect([await scene.read(emptied), await scene.read(made)]).toEqual(['new', 'kept']);
    await expect(scene.write(reader, 'x')).rejects.toThrow('EBADF');
    await expect(scene.read(log)).rejects.toThrow('EBADF');
  });

  it('stay those files when the guest renames, replaces and removes their names', async () => {
    const all = await limited(6);
    const { scene } = all;
    const names = ['moved', 'removed', 'replaced'];
    const fids = await Promise.all(names.map((name) => scene.create(name)));
    for (const [nth, fid] of fids.entries()) await scene.write(fid, names[nth]!);
    mkdirSync(scene.host('directory'));
    const below = await scene.walk(['directory']);
    const deep = await scene.walk([], below);
    await scene.client.request('Tlcreate', {
      fid: deep,
      name: 'deep',
      flags: open.RDWR,
      mode: 0o644,
      gid: 0,
    });
    await scene.write(deep, 'deep');
    await fill(scene, 12);
    await scene.rename('moved', 'elsewhere');
    await scene.rename('directory', 'other');
    await scene.remove('removed');
    writeFileSync(scene.host('new'), 'another file');
    await scene.rename('new', 'replaced');
    await fill(scene, 12);
    for (const [nth, fid] of fids.entries()) expect(await scene.read(fid)).toBe(names[nth]);
    expect(await scene.read(deep)).toBe('deep');
    expect(readFileSync(scene.host('replaced'), 'utf8')).toBe('another file');
  });

  it('are ESTALE when the host has put another file in their place', async () => {
    const all = await limited();
    const { scene } = all;
    const names = ['renamed', 'made-anew', 'removed', 'unlinked-before'];
    for (const name of names) writeFileSync(scene.host(name), name);
    const fids: number[] = [];
    for (const name of names) fids.push(await scene.open(name, open.RDWR));
    rmSync(scene.host('unlinked-before'));
    const [renamed, anew, removed, before] = fids as [number, number, number, number];
    await fill(scene, 8);
    writeFileSync(scene.host('another'), 'another');
    renameSync(scene.host('another'), scene.host('renamed'));
    // ext4 gives the number of the inode to the next one
    for (const name of ['made-anew', 'removed']) rmSync(scene.host(name));
    writeFileSync(scene.host('made-anew'), 'another');
    for (const fid of [renamed, anew, removed]) {
      await expect(scene.read(fid)).rejects.toThrow('ESTALE');
      await expect(scene.write(fid, 'x')).rejects.toThrow('ESTALE');
      await expect(scene.setattr(fid, { size: 0 })).rejects.toThrow('ESTALE');
      await expect(scene.getattr(fid)).rejects.toThrow('ESTALE');
      expect(await lock(scene, fid, 1)).toBe('ESTALE');
    }
    expect(await scene.read(before)).toBe('unlinked-before');
    for (const name of ['renamed', 'made-anew'])
      expect(readFileSync(scene.host(name), 'utf8')).toBe('another');
  });

  it('are EMFILE where none can be found again: directories, locked files, unlinked ones', async () => {
    const all = await limited();
    const { scene } = all;
    const kept = [await scene.create('locked'), await scene.create('unlinked')];
    expect(await lock(scene, kept[0]!, 1)).toBe('ok');
    await scene.remove('unlinked');
    mkdirSync(scene.host('directory'));
    for (let nth = 0; nth < 2; nth++) kept.push(await scene.open('directory'));
    await expect(scene.create('another')).rejects.toThrow('EMFILE');
    await expect(scene.open('directory')).rejects.toThrow('EMFILE');
    await scene.clunk(kept.pop()!);
    await fill(scene);
    // a lock that is given back keeps it no longer
    await scene.clunk(kept.pop()!);
    expect(await lock(scene, kept[0]!, 1, UNLOCK)).toBe('ok');
    await fill(scene);
    expect(all.more()).toBeLessThanOrEqual(LIMIT);
    expect(await scene.read(kept[1]!)).toBe('');
  });
});

describe.skipIf(skipped !== undefined)('locks of many processes', { timeout: 60_000 }, () => {
  it('are ENOLCK when they have taken all descriptors, and go on with those given back', async () => {
    const all = await limited(8);
    const { scene } = all;
    const fid = await scene.create('file');
    const others = await fill(scene, 10);
    const results: string[] = [];
    for (let process = 1; process <= 12; process++) results.push(await lock(scene, fid, process, 1, process));
    expect(results).toEqual([...Array<string>(8).fill('ok'), ...Array<string>(4).fill('ENOLCK')]);
    expect(all.more()).toBeLessThanOrEqual(8);
    // those that have a lock are not kept from another one, nor from unlocking
    expect(await lock(scene, fid, 3, 1, 100)).toBe('ok');
    expect(await lock(scene, fid, 3, UNLOCK)).toBe('ok');
    expect(await lock(scene, fid, 20, 1, 3)).toBe('ok');
    await expect(scene.read(others[0]!)).rejects.toThrow('EMFILE');
    await scene.clunk(fid);
    expect(await scene.read(others[0]!)).toBe('');
  });

  it('of one process after the other take no more and more descriptors', async () => {
    const all = await limited(8);
    const { scene } = all;
    const fid = await scene.create('file');
    expect(await lock(scene, fid, 1, 1, 5)).toBe('ok');
    for (let process = 2; process < 40; process++) {
      expect(await lock(scene, fid, process, 1, 5)).toBe('blocked');
      expect(await lock(scene, fid, process, 1, 6)).toBe('ok');
      expect(await lock(scene, fid, process, UNLOCK)).toBe('ok');
    }
    expect(all.more()).toBe(1);
  });
});
