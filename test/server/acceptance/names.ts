/** Trename, Trenameat; Tunlinkat, Tremove: names that change or go. */
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { expect } from 'vitest';
import { type Case, open, outcome, refused, REMOVEDIR, type Scene } from './scene.js';

const moved = (scene: Scene, oldname: string, newname: string, to = scene.directory): Promise<string> =>
  scene.client.outcome('Trenameat', { olddirfid: scene.directory, oldname, newdirfid: to, newname });

const removed = (scene: Scene, name: string, flags = 0): Promise<string> =>
  scene.client.outcome('Tunlinkat', { dirfd: scene.directory, name, flags });

const renaming: readonly Case[] = [
  {
    title: 'a file is renamed over another',
    run: async (scene) => {
      writeFileSync(scene.host('old'), 'old');
      writeFileSync(scene.host('new'), 'new');
      await scene.rename('new', 'old');
      expect([readdirSync(scene.host()), readFileSync(scene.host('old'), 'latin1')]).toEqual([
        ['old'],
        'new',
      ]);
    },
  },
  {
    title: 'a rename to another name of the same file leaves both, and the fids of both',
    run: async (scene) => {
      writeFileSync(scene.host('one'), 'content');
      linkSync(scene.host('one'), scene.host('two'));
      const one = await scene.walk(['one']);
      const two = await scene.walk(['two']);
      await scene.rename('one', 'two');
      expect(readdirSync(scene.host()).sort()).toEqual(['one', 'two']);
      expect((await scene.getattr(two)).nlink).toBe(2n);
      await scene.client.request('Tremove', { fid: one });
      expect(readdirSync(scene.host())).toEqual(['two']);
      expect((await scene.getattr(two)).nlink).toBe(1n);
    },
  },
  {
    title: 'Trename moves what the fid is, to another directory',
    run: async (scene) => {
      writeFileSync(scene.host('file'), 'content');
      mkdirSync(scene.host('directory'));
      const fid = await scene.walk(['file']);
      const dfid = await scene.walk(['directory']);
      await scene.client.request('Trename', { fid, dfid, name: 'renamed' });
      expect(readFileSync(scene.host('directory', 'renamed'), 'latin1')).toBe('content');
      // the fid goes with it
      await scene.setattr(fid, { mode: 0o600 });
      expect(lstatSync(scene.host('directory', 'renamed')).mode).toBe(0o100600);
      await scene.client.request('Tlopen', { fid, flags: open.RDONLY });
      expect(await scene.read(fid)).toBe('content');
    },
  },
  {
    title: 'a fid goes with its file when Trenameat gives that another name',
    run: async (scene) => {
      writeFileSync(scene.host('file'), 'content');
      const fid = await scene.walk(['file']);
      await scene.rename('file', 'renamed');
      await scene.setattr(fid, { mode: 0o600 });
      expect(lstatSync(scene.host('renamed')).mode).toBe(0o100600);
      await scene.client.request('Tlopen', { fid, flags: open.RDONLY });
      expect(await scene.read(fid)).toBe('content');
    },
  },
  {
    title: 'fids below a directory that is renamed go with it, open or not',
    run: async (scene) => {
      mkdirSync(scene.host('a', 'b'), { recursive: true });
      writeFileSync(scene.host('a', 'b', 'file'), 'content');
      const opened = await scene.open(['a', 'b', 'file'], open.RDWR);
      const file = await scene.walk(['a', 'b', 'file']);
      const directory = await scene.walk(['a', 'b']);
      await scene.rename('a', 'moved');
      expect([await scene.read(opened), await scene.write(opened, 'C')]).toEqual(['content', 1]);
      expect((await scene.getattr(opened)).size).toBe(7n);
      await scene.setattr(opened, { mode: 0o600 });
      await scene.setattr(file, { uid: 7 });
      expect(lstatSync(scene.host('moved', 'b', 'file'))).toMatchObject({ mode: 0o100600, uid: 7 });
      expect((await scene.getattr(await scene.walk(['file'], directory))).size).toBe(7n);
      expect((await scene.getattr(await scene.walk(['..'], directory))).qid.path).toBe(
        (await scene.getattr(await scene.walk(['moved']))).qid.path,
      );
      await scene.client.request('Tmkdir', { dfid: directory, name: 'below', mode: 0o755, gid: 0 });
      expect(readdirSync(scene.host('moved', 'b')).sort()).toEqual(['below', 'file']);
    },
  },
  {
    title: 'a fid never becomes another file that takes its name',
    run: async (scene) => {
      writeFileSync(scene.host('file'), 'first');
      writeFileSync(scene.host('other'), 'second');
      const fid = await scene.walk(['file']);
      // what came with the walk may answer this one
      await scene.getattr(fid);
      // by somebody else, so the server does not hear of it
      renameSync(scene.host('other'), scene.host('file'));
      expect(await refused(scene.getattr(fid))).toBe(true);
      expect(await refused(scene.setattr(fid, { mode: 0o777 }))).toBe(true);
      expect(await refused(scene.client.request('Tlopen', { fid, flags: open.RDWR | open.TRUNC }))).toBe(
        true,
      );
      expect(readFileSync(scene.host('file'), 'latin1')).toBe('second');
      expect(lstatSync(scene.host('file')).mode).toBe(0o100644);
    },
  },
  {
    title: 'what cannot be renamed has the error of the kernel',
    run: async (scene) => {
      for (const path of ['empty', 'full/inside', 'other']) mkdirSync(scene.host(path), { recursive: true });
      writeFileSync(scene.host('file'), '');
      const inside = await scene.walk(['full', 'inside']);
      expect([
        await moved(scene, 'absent', 'x'),
        await moved(scene, 'empty', 'full'),
        await moved(scene, 'empty', 'file'),
        await moved(scene, 'file', 'empty'),
        await moved(scene, 'full', 'below', inside),
        await moved(scene, 'other', 'empty'),
        await moved(scene, 'file', 'file'),
      ]).toEqual(['ENOENT', 'ENOTEMPTY', 'ENOTDIR', 'EISDIR', 'EINVAL', 'ok', 'ok']);
      expect(readdirSync(scene.host()).sort()).toEqual(['empty', 'file', 'full']);
    },
  },
];

const removing: readonly Case[] = [
  {
    title: 'Tunlinkat removes a file, and a directory with its flag',
    run: async (scene) => {
      writeFileSync(scene.host('file'), '');
      mkdirSync(scene.host('directory'));
      symlinkSync('file', scene.host('link'));
      expect([
        await removed(scene, 'file', REMOVEDIR),
        await removed(scene, 'link', REMOVEDIR),
        await removed(scene, 'directory'),
      ]).toEqual(['ENOTDIR', 'ENOTDIR', 'EISDIR']);
      expect(readdirSync(scene.host())).toHaveLength(3);
      expect([
        await removed(scene, 'link'),
        await removed(scene, 'file'),
        await removed(scene, 'directory', REMOVEDIR),
        await removed(scene, 'file'),
      ]).toEqual(['ok', 'ok', 'ok', 'ENOENT']);
      expect(readdirSync(scene.host())).toEqual([]);
    },
  },
  {
    title: 'Tunlinkat leaves a directory that is not empty',
    run: async (scene) => {
      mkdirSync(scene.host('full', 'inside'), { recursive: true });
      expect(await removed(scene, 'full', REMOVEDIR)).toBe('ENOTEMPTY');
    },
  },
  {
    title: 'Tremove removes, and frees the fid',
    run: async (scene) => {
      writeFileSync(scene.host('file'), '');
      mkdirSync(scene.host('directory'));
      for (const name of ['file', 'directory']) {
        const fid = await scene.walk([name]);
        expect(await scene.client.outcome('Tremove', { fid })).toBe('ok');
        expect([existsSync(scene.host(name)), await scene.knows(fid)]).toEqual([false, false]);
      }
    },
  },
  {
    title: 'Tremove that fails frees the fid, too',
    run: async (scene) => {
      mkdirSync(scene.host('full', 'inside'), { recursive: true });
      const fid = await scene.walk(['full']);
      expect(await scene.client.outcome('Tremove', { fid })).toBe('ENOTEMPTY');
      expect(await scene.knows(fid)).toBe(false);
    },
  },
  {
    title: 'Tclunk of a file that has been removed frees its fid',
    run: async (scene) => {
      writeFileSync(scene.host('file'), '');
      const fids = [await scene.walk(['file']), await scene.open('file')];
      unlinkSync(scene.host('file'));
      for (const fid of fids) {
        expect(await outcome(scene.clunk(fid))).toBe('ok');
        expect(await scene.knows(fid)).toBe(false);
      }
    },
  },
];

export const names = [...renaming, ...removing];
