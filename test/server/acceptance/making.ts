/** Tmkdir, Tsymlink, Tmknod, Tlink, Treadlink. */
import { lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { type Case, qidType } from './scene.js';

export const making: readonly Case[] = [
  {
    title: 'Tmkdir makes a directory of the mode and group',
    run: async (scene) => {
      const mkdir = { dfid: scene.directory, name: 'new', mode: 0o041775, gid: 77 };
      const { qid } = await scene.client.request('Tmkdir', mkdir);
      const { mode, uid, gid } = lstatSync(scene.host('new'));
      expect([qid.type, mode, uid, gid]).toEqual([qidType.DIRECTORY, 0o041775, 0, 77]);
      expect(await scene.client.outcome('Tmkdir', mkdir)).toBe('EEXIST');
    },
  },
  {
    title: 'Tsymlink makes a link to anything, which Treadlink reads',
    run: async (scene) => {
      const targets = {
        plain: 'target',
        absolute: '/etc/../etc/passwd',
        long: 'x'.repeat(4_000),
        odd: '\xff\xfe \n',
      };
      for (const [name, target] of Object.entries(targets)) {
        const { qid } = await scene.client.request('Tsymlink', {
          dfid: scene.directory,
          name,
          target,
          gid: 5,
        });
        expect(qid.type).toBe(qidType.SYMLINK);
        const read = await scene.client.request('Treadlink', { fid: await scene.walk([name]) });
        expect(read.target).toBe(target);
        expect(lstatSync(scene.host(name)).gid).toBe(5);
      }
      const again = { dfid: scene.directory, name: 'plain', target: 'x', gid: 0 };
      expect(await scene.client.outcome('Tsymlink', again)).toBe('EEXIST');
      expect(await scene.client.outcome('Treadlink', { fid: scene.directory })).toBe('EINVAL');
    },
  },
  {
    title: 'Tmknod makes a FIFO, a socket, devices and a plain file',
    run: async (scene) => {
      const { client, directory: dfid } = scene;
      const kinds = {
        fifo: 0o010600,
        socket: 0o140755,
        character: 0o020640,
        block: 0o060600,
        plain: 0o100644,
      };
      for (const [name, mode] of Object.entries(kinds)) {
        const device = name === 'character' || name === 'block';
        const [major, minor] = device ? [259, 70_000] : [0, 0];
        const gid = device ? 0 : 3;
        await client.request('Tmknod', { dfid, name, mode, major, minor, gid });
        const seen = await scene.getattr(await scene.walk([name]));
        expect([name, seen.mode, seen.gid]).toEqual([name, mode, gid]);
        expect(seen.rdev).toBe(lstatSync(scene.host(name), { bigint: true }).rdev);
        expect(seen.rdev !== 0n).toBe(device);
      }
      const again = { dfid, name: 'fifo', mode: 0o010600, major: 0, minor: 0, gid: 0 };
      expect(await client.outcome('Tmknod', again)).toBe('EEXIST');
    },
  },
  {
    title: 'a device may be of another group',
    run: async (scene) => {
      const fields = { dfid: scene.directory, name: 'null', mode: 0o020666, major: 1, minor: 3, gid: 3 };
      expect(await scene.client.outcome('Tmknod', fields)).toBe('ok');
      expect(lstatSync(scene.host('null')).gid).toBe(3);
    },
  },
  {
    title: 'a node that cannot be made changes nothing of what is there',
    run: async (scene) => {
      writeFileSync(scene.host('file'), 'content', { mode: 0o640 });
      for (const mode of [0o010600, 0o020600, 0o060600, 0o100600]) {
        const fields = { dfid: scene.directory, name: 'file', mode, major: 0, minor: 0, gid: 77 };
        expect(await scene.client.outcome('Tmknod', fields)).toBe('EEXIST');
      }
      expect(lstatSync(scene.host('file')).gid).toBe(0);
    },
  },
  {
    title: 'a FIFO of another group keeps its set-id bits',
    run: async (scene) => {
      const fields = { dfid: scene.directory, name: 'fifo', mode: 0o012755, major: 0, minor: 0, gid: 77 };
      expect(await scene.client.outcome('Tmknod', fields)).toBe('ok');
      const { mode, gid } = lstatSync(scene.host('fifo'));
      expect([mode, gid]).toEqual([0o012755, 77]);
    },
  },
  {
    title: "what a user makes is the user's",
    run: async (scene) => {
      const user = await scene.another(1_000);
      await scene.setattr(scene.directory, { mode: 0o777 });
      const { client, directory: dfid } = user;
      await client.request('Tmkdir', { dfid, name: 'directory', mode: 0o755, gid: 1_001 });
      await client.request('Tsymlink', { dfid, name: 'link', target: 'x', gid: 1_001 });
      await client.request('Tmknod', { dfid, name: 'fifo', mode: 0o010600, major: 0, minor: 0, gid: 1_001 });
      for (const name of ['directory', 'link', 'fifo']) {
        const { uid, gid } = lstatSync(scene.host(name));
        expect([name, uid, gid]).toEqual([name, 1_000, 1_001]);
      }
    },
  },
  {
    title: 'Tlink gives a file another name',
    run: async (scene) => {
      writeFileSync(scene.host('file'), 'content');
      mkdirSync(scene.host('directory'));
      const { client, directory: dfid } = scene;
      const fid = await scene.walk(['file']);
      expect(await client.outcome('Tlink', { dfid, fid, name: 'hard' })).toBe('ok');
      expect((await scene.getattr(fid)).nlink).toBe(2n);
      expect(readFileSync(scene.host('hard'), 'latin1')).toBe('content');
      expect(await client.outcome('Tlink', { dfid, fid, name: 'hard' })).toBe('EEXIST');
      const directory = await scene.walk(['directory']);
      expect(await client.outcome('Tlink', { dfid, fid: directory, name: 'other' })).toBe('EPERM');
    },
  },
  {
    title: 'Tlink of a symbolic link is about the link',
    run: async (scene) => {
      symlinkSync('/etc/passwd', scene.host('link'));
      const fid = await scene.walk(['link']);
      expect(await scene.client.outcome('Tlink', { dfid: scene.directory, fid, name: 'hard' })).toBe('ok');
      expect(lstatSync(scene.host('hard')).isSymbolicLink()).toBe(true);
    },
  },
  {
    title: 'nothing is made in what is no directory',
    run: async (scene) => {
      writeFileSync(scene.host('file'), '');
      const dfid = await scene.walk(['file']);
      expect([
        await scene.client.outcome('Tmkdir', { dfid, name: 'x', mode: 0o755, gid: 0 }),
        await scene.client.outcome('Tsymlink', { dfid, name: 'x', target: 'y', gid: 0 }),
        await scene.client.outcome('Tlcreate', { fid: dfid, name: 'x', flags: 0o102, mode: 0o600, gid: 0 }),
        await scene.client.outcome('Tunlinkat', { dirfd: dfid, name: 'x', flags: 0 }),
      ]).toEqual(['ENOTDIR', 'ENOTDIR', 'ENOTDIR', 'ENOTDIR']);
    },
  },
];
