/** Treaddir. */
import { mkdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { mknod } from '../../../harness/libc.js';
import { type Case, outcome, qidType, refused, type Scene } from './scene.js';

const manyNames = Array.from({ length: 500 }, (_, number) => `a file of a name that is not short ${number}`);

function many(scene: Scene): string {
  mkdirSync(scene.host('many'));
  for (const name of manyNames) writeFileSync(scene.host('many', name), '');
  return 'many';
}

const isDot = (name: string): boolean => name === '.' || name === '..';

export const listing: readonly Case[] = [
  {
    title: 'a listing has every name once, with qid and type',
    run: async (scene) => {
      writeFileSync(scene.host('file'), '');
      mkdirSync(scene.host('directory'));
      symlinkSync('file', scene.host('link'));
      mknod(Buffer.from(scene.host('fifo')), 0o010644, 0);
      const entries = await scene.entries(await scene.open([]));
      const found = entries
        .filter(({ name }) => !isDot(name))
        .map(({ name, type, qid }) => [name, type, qid.type]);
      expect(found.sort()).toEqual([
        ['directory', 4, qidType.DIRECTORY],
        ['fifo', 1, qidType.FILE],
        ['file', 8, qidType.FILE],
        ['link', 10, qidType.SYMLINK],
      ]);
      const file = entries.find(({ name }) => name === 'file');
      expect(file?.qid.path).toBe((await scene.getattr(await scene.walk(['file']))).qid.path);
    },
  },
  ...[100, 1_000, 4_096, 60_000].map((count): Case => ({
    title: `500 names are listed ${count} bytes at a time`,
    run: async (scene) => {
      const entries = await scene.entries(await scene.open(many(scene)), count);
      expect(
        entries
          .map(({ name }) => name)
          .filter((name) => !isDot(name))
          .sort(),
      ).toEqual([...manyNames].sort());
    },
  })),
  {
    title: 'a listing goes on after any entry',
    run: async (scene) => {
      const fid = await scene.open(many(scene));
      // ext4's offsets are hashes of 63 bits
      for (const place of [0, 1, 250, 500]) {
        // to the end, so that nothing is left in the server's memory
        const all = await scene.entries(fid);
        const { data: rest } = await scene.client.request('Treaddir', {
          ...{ fid, offset: all[place]!.offset, count: 1_000 },
        });
        const nameLength = rest.readUInt16LE(22);
        expect(rest.toString('latin1', 24, 24 + nameLength)).toBe(all[place + 1]!.name);
      }
    },
  },
  {
    title: 'a count that is too small for an entry is no end of the listing',
    run: async (scene) => {
      const fid = await scene.open(many(scene));
      expect(await refused(scene.client.request('Treaddir', { fid, offset: 0, count: 20 }))).toBe(true);
      expect(await scene.entries(fid)).toHaveLength(502);
    },
  },
  {
    title: 'a listing from the start sees what has been made since',
    run: async (scene) => {
      const fid = await scene.open([]);
      await scene.entries(fid);
      writeFileSync(scene.host('new'), '');
      expect((await scene.entries(fid)).map(({ name }) => name)).toContain('new');
    },
  },
  {
    title: 'what is removed during a listing leaves the other names where they are',
    run: async (scene) => {
      const fid = await scene.open(many(scene));
      const seen: string[] = [];
      for (let offset = 0n; ;) {
        const entries = await scene.client.request('Treaddir', { fid, offset, count: 1_000 });
        if (entries.data.length === 0) break;
        for (let place = 0; place < entries.data.length;) {
          offset = entries.data.readBigUInt64LE(place + 13);
          const length = entries.data.readUInt16LE(place + 22);
          const name = entries.data.toString('latin1', place + 24, place + 24 + length);
          place += 24 + length;
          seen.push(name);
          if (!isDot(name)) unlinkSync(scene.host('many', name));
        }
      }
      expect(seen.filter((name) => !isDot(name)).sort()).toEqual([...manyNames].sort());
    },
  },
  {
    title: 'a file is no directory',
    run: async (scene) => {
      const fid = await scene.create('file');
      expect(await outcome(scene.entries(fid))).toBe('ENOTDIR');
      expect(await outcome(scene.read(await scene.open([])))).toBe('EISDIR');
    },
  },
];
