/** Tread, Twrite, Tfsync. */
import { lstatSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { type Case, open, outcome, refused } from './scene.js';

export const data: readonly Case[] = [
  {
    title: 'reads end where the file does',
    run: async (scene) => {
      writeFileSync(scene.host('file'), '0123456789');
      const fid = await scene.open('file');
      expect([
        await scene.read(fid, 3, 4),
        await scene.read(fid, 8, 100),
        await scene.read(fid, 10, 1),
        await scene.read(fid, 2n ** 62n, 1),
        await scene.read(fid, 0, 0),
      ]).toEqual(['3456', '89', '', '', '']);
    },
  },
  {
    title: 'writes beyond the end leave a hole',
    run: async (scene) => {
      const fid = await scene.create('file');
      expect([await scene.write(fid, 'end', 5_000_000_000), await scene.write(fid, '')]).toEqual([3, 0]);
      const { size, blocks } = lstatSync(scene.host('file'));
      expect([size, blocks < 100]).toEqual([5_000_000_003, true]);
      expect(await scene.read(fid, 4_999_999_998)).toBe('\0\0end');
    },
  },
  {
    title: 'offsets that no file has are refused',
    run: async (scene) => {
      const fid = await scene.create('file');
      for (const offset of [2n ** 63n, 2n ** 64n - 1n])
        expect([offset, await refused(scene.write(fid, 'x', offset))]).toEqual([offset, true]);
      expect(lstatSync(scene.host('file')).size).toBe(0);
    },
  },
  {
    title: 'what is read is never more than msize lets through',
    run: async (scene) => {
      writeFileSync(scene.host('large'), Buffer.alloc(300_000, 'x'));
      await scene.client.version('9P2000.L', 8_192);
      await scene.client.attach(scene.root, 0, scene.server.aname);
      const fid = await scene.walk([scene.name, 'large'], scene.root);
      await scene.client.request('Tlopen', { fid, flags: open.RDONLY });
      // the client itself refuses a longer reply
      expect(await scene.read(fid, 0, 200_000)).toHaveLength(8_192 - 11);
      const { data: last } = await scene.client.request('Tread', { fid, offset: 0, count: 0xffff_ffff });
      expect(last.length).toBeLessThanOrEqual(8_192 - 11);
    },
  },
  {
    title: 'the largest frame is read and written',
    run: async (scene) => {
      const fid = await scene.create('file');
      const { msize } = scene.client;
      const text = 'w'.repeat(msize - 23);
      expect(await scene.write(fid, text)).toBe(text.length);
      expect(await scene.read(fid, 0, msize - 11)).toBe(text);
    },
  },
  {
    title: 'many requests at once are all answered, each with its own',
    run: async (scene) => {
      const fid = await scene.create('file');
      const offsets = Array.from({ length: 100 }, (_, number) => number * 10);
      await Promise.all(offsets.map((offset) => scene.write(fid, `<${offset}>`.padEnd(10), offset)));
      const read = await Promise.all(offsets.map((offset) => scene.read(fid, offset, 10)));
      expect(read.map((text) => text.trim())).toEqual(offsets.map((offset) => `<${offset}>`));
    },
  },
  {
    title: 'who writes to a set-id file takes the bits away, as every user but root does',
    run: async (scene) => {
      const fid = await scene.create('file', open.RDWR, 0o755);
      await scene.setattr(fid, { mode: 0o6755 });
      await scene.write(fid, 'text');
      expect((await scene.getattr(fid)).mode).toBe(0o100755);
    },
  },
  {
    title: 'Tfsync takes a file and a directory that are open',
    run: async (scene) => {
      const file = await scene.create('file');
      const directory = await scene.walk([]);
      await scene.client.request('Tlopen', { fid: directory, flags: open.RDONLY });
      for (const fid of [file, directory])
        for (const datasync of [0, 1])
          expect(await outcome(scene.client.request('Tfsync', { fid, datasync }))).toBe('ok');
      expect(await outcome(scene.client.request('Tfsync', { fid: scene.directory, datasync: 0 }))).toBe(
        'EBADF',
      );
    },
  },
];
