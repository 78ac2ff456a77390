/** Tgetattr, Tsetattr, Tstatfs. */
import { linkSync, lstatSync, mkdirSync, statfsSync, symlinkSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { at, BASIC, type Case, open, outcome, refused, type Scene, valid } from './scene.js';

const file = (scene: Scene): Promise<number> => {
  writeFileSync(scene.host('file'), 'content');
  return scene.walk(['file']);
};
const look = (scene: Scene, name = 'file') => lstatSync(scene.host(name), { bigint: true });

export const attributes: readonly Case[] = [
  {
    title: 'Tgetattr tells what stat(2) tells on the host',
    run: async (scene) => {
      const fid = await file(scene);
      mkdirSync(scene.host('directory'));
      symlinkSync('target', scene.host('link'));
      for (const [name, its] of [
        ['file', fid],
        ['directory', await scene.walk(['directory'])],
        ['link', await scene.walk(['link'])],
      ] as const) {
        const here = look(scene, name);
        const there = await scene.getattr(its);
        expect(there).toMatchObject({
          ...{ mode: Number(here.mode), uid: Number(here.uid), gid: Number(here.gid) },
          ...{ nlink: here.nlink, rdev: here.rdev, size: here.size, blocks: here.blocks },
          ...{ atime: at(here.atimeNs), mtime: at(here.mtimeNs), ctime: at(here.ctimeNs) },
        });
        expect(there.valid & BigInt(BASIC)).toBe(BigInt(BASIC));
      }
    },
  },
  {
    title: 'the names of one file have one qid.path, other files have others',
    run: async (scene) => {
      const fid = await file(scene);
      linkSync(scene.host('file'), scene.host('hard'));
      writeFileSync(scene.host('other'), '');
      const path = async (its: number): Promise<bigint> => (await scene.getattr(its)).qid.path;
      expect(await path(await scene.walk(['hard']))).toBe(await path(fid));
      expect(await path(await scene.walk(['other']))).not.toBe(await path(fid));
    },
  },
  {
    title: 'qid.version is not 0, and another one when the file has changed',
    run: async (scene) => {
      const fid = await scene.create('file');
      const before = (await scene.getattr(fid)).qid.version;
      await scene.write(fid, 'content');
      const after = (await scene.getattr(fid)).qid.version;
      expect([before, after]).not.toContain(0);
      expect(after).not.toBe(before);
      expect((await scene.getattr(await scene.walk(['file']))).qid.version).toBe(after);
    },
  },
  {
    title: 'Tsetattr sets a mode',
    run: async (scene) => {
      const fid = await file(scene);
      for (const mode of [0o600, 0o4755, 0o1777, 0]) {
        await scene.setattr(fid, { mode });
        expect(Number(look(scene).mode)).toBe(0o100000 | mode);
      }
    },
  },
  {
    title: 'Tsetattr sets owner and group, together and each alone',
    run: async (scene) => {
      const fid = await file(scene);
      const owner = (): number[] => [Number(look(scene).uid), Number(look(scene).gid)];
      await scene.setattr(fid, { uid: 1_000, gid: 2_000 });
      expect(owner()).toEqual([1_000, 2_000]);
      await scene.setattr(fid, { uid: 1_001 });
      await scene.setattr(fid, { gid: 2_001 });
      expect(owner()).toEqual([1_001, 2_001]);
    },
  },
  {
    title: 'Tsetattr of an owner takes set-uid away, and sets a mode after that',
    run: async (scene) => {
      const fid = await file(scene);
      await scene.setattr(fid, { mode: 0o4755 });
      await scene.setattr(fid, { uid: 1_000 });
      expect(Number(look(scene).mode)).toBe(0o100755);
      await scene.setattr(fid, { uid: 1_001, mode: 0o4755 });
      expect(Number(look(scene).mode)).toBe(0o104755);
    },
  },
  {
    title: 'Tsetattr sets a size, of an open file, too',
    run: async (scene) => {
      const fid = await file(scene);
      await scene.setattr(fid, { size: 3 });
      expect(look(scene).size).toBe(3n);
      await scene.setattr(fid, { size: 5_000_000_000 });
      expect(look(scene).size).toBe(5_000_000_000n);
      const reading = await scene.open('file', open.RDONLY);
      await scene.setattr(reading, { size: 1 });
      expect([look(scene).size, await scene.read(reading)]).toEqual([1n, 'c']);
      expect(await outcome(scene.setattr(scene.directory, { size: 0 }))).toBe('EISDIR');
      expect(await refused(scene.setattr(fid, { size: 2n ** 63n }))).toBe(true);
    },
  },
  {
    title: 'Tsetattr sets times to the nanosecond, and each alone',
    run: async (scene) => {
      const fid = await file(scene);
      const [atime, mtime] = [1_000_000_000_123_456_789n, 2_000_000_000_987_654_321n];
      await scene.setattr(fid, { atime: at(atime), mtime: at(mtime) });
      expect([look(scene).atimeNs, look(scene).mtimeNs]).toEqual([atime, mtime]);
      await scene.setattr(fid, { mtime: at(1n) });
      expect([look(scene).atimeNs, look(scene).mtimeNs]).toEqual([atime, 1n]);
      await scene.setattr(fid, { atime: at(5_000_000_000_000_000_001n) });
      expect([look(scene).atimeNs, look(scene).mtimeNs]).toEqual([5_000_000_000_000_000_001n, 1n]);
      await scene.setattr(fid, { atime: { seconds: -2n, nanoseconds: 5n } });
      expect(look(scene).atimeNs).toBe(-1_999_999_995n);
    },
  },
  {
    title: 'Tsetattr sets times to now',
    run: async (scene) => {
      const fid = await file(scene);
      await scene.setattr(fid, { atime: at(1n), mtime: at(1n) });
      const before = BigInt(Date.now() - 1_000) * 1_000_000n;
      await scene.setattr(fid, { now: valid.MTIME });
      expect([look(scene).atimeNs, look(scene).mtimeNs > before]).toEqual([1n, true]);
      await scene.setattr(fid, { now: valid.ATIME, mtime: at(2n) });
      expect([look(scene).atimeNs > before, look(scene).mtimeNs]).toEqual([true, 2n]);
    },
  },
  {
    title: 'Tsetattr sets all at once, and nothing with no bit',
    run: async (scene) => {
      const fid = await file(scene);
      await scene.setattr(fid, { mode: 0o611, uid: 7, gid: 8, size: 2, atime: at(3n), mtime: at(4n) });
      const seen = look(scene);
      expect([seen.mode, seen.uid, seen.gid, seen.size, seen.atimeNs, seen.mtimeNs]).toEqual(
        [0o100611, 7, 8, 2, 3, 4].map(BigInt),
      );
      await scene.setattr(fid, {});
      await scene.setattr(fid, { now: valid.CTIME });
      expect(look(scene)).toMatchObject({ mode: seen.mode, uid: seen.uid, mtimeNs: 4n });
    },
  },
  {
    title: 'Tsetattr of a symbolic link is about the link',
    run: async (scene) => {
      await file(scene);
      const before = look(scene);
      symlinkSync('file', scene.host('link'));
      await scene.setattr(await scene.walk(['link']), { uid: 7, gid: 8, mtime: at(9n) });
      expect(look(scene, 'link')).toMatchObject({ uid: 7n, gid: 8n, mtimeNs: 9n });
      expect(look(scene)).toMatchObject({ uid: before.uid, mtimeNs: before.mtimeNs });
    },
  },
  {
    title: 'Tstatfs tells about the file system of the export',
    run: async (scene) => {
      const there = await scene.client.request('Tstatfs', { fid: scene.directory });
      const here = statfsSync(scene.host(), { bigint: true });
      expect([there.bsize, there.blocks, there.files, there.namelen]).toEqual([
        Number(here.bsize),
        here.blocks,
        here.files,
        255,
      ]);
    },
  },
  {
    title: 'Tstatfs of a symbolic link tells where the link is, not where it leads',
    run: async (scene) => {
      symlinkSync('nowhere', scene.host('link'));
      const there = await scene.client.request('Tstatfs', { fid: await scene.walk(['link']) });
      expect(there.files).toBe(statfsSync(scene.host(), { bigint: true }).files);
    },
  },
];
