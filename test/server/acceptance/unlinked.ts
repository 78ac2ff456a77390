/** Files that are open and have no name any more. */
import { lstatSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { at, type Case, open, outcome } from './scene.js';

export const unlinked: readonly Case[] = [
  {
    title: 'a file that is open and removed is still that file',
    run: async (scene) => {
      const fid = await scene.create('file', open.RDWR, 0o644);
      await scene.write(fid, '0123456789');
      await scene.remove('file');
      writeFileSync(scene.host('file'), 'another');
      expect(await scene.getattr(fid)).toMatchObject({ size: 10n, nlink: 0n, mode: 0o100644 });
      await scene.setattr(fid, { size: 5 });
      await scene.setattr(fid, { mode: 0o600, uid: 5, gid: 6 });
      await scene.setattr(fid, { atime: at(7n), mtime: at(8n) });
      expect(await scene.getattr(fid)).toMatchObject({
        ...{ size: 5n, mode: 0o100600, uid: 5, gid: 6, atime: at(7n), mtime: at(8n) },
      });
      expect([await scene.read(fid, 2), await scene.write(fid, 'x', 9)]).toEqual(['234', 1]);
      expect((await scene.getattr(fid)).size).toBe(10n);
      expect(await outcome(scene.clunk(fid))).toBe('ok');
      expect(lstatSync(scene.host('file'))).toMatchObject({ size: 7, mode: 0o100644, uid: 0 });
    },
  },
  {
    title: 'a file that is open, and another has been renamed over it, is still that file',
    run: async (scene) => {
      const fid = await scene.create('file');
      await scene.write(fid, 'content');
      writeFileSync(scene.host('other'), '');
      await scene.rename('other', 'file');
      await scene.setattr(fid, { mode: 0o600 });
      expect([(await scene.getattr(fid)).size, await scene.read(fid)]).toEqual([7n, 'content']);
      expect(lstatSync(scene.host('file'))).toMatchObject({ size: 0, mode: 0o100644 });
    },
  },
];
