/** Tlopen and Tlcreate. */
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { expect } from 'vitest';
import { mknod } from '../../../harness/libc.js';
import { type Case, open, outcome, qidType, refused } from './scene.js';

export const opening: readonly Case[] = [
  {
    title: 'an open file is read and written as its flags say',
    run: async (scene) => {
      writeFileSync(scene.host('file'), 'content');
      const [reading, writing, both] = [
        await scene.open('file', open.RDONLY),
        await scene.open('file', open.WRONLY | open.LARGEFILE | open.CLOEXEC),
        await scene.open('file', open.RDWR | open.NONBLOCK),
      ];
      expect([await scene.read(reading), await outcome(scene.write(reading, 'x'))]).toEqual([
        'content',
        'EBADF',
      ]);
      expect([await outcome(scene.read(writing)), await scene.write(writing, 'C')]).toEqual(['EBADF', 1]);
      expect([await scene.read(both), await scene.write(both, 't', 6)]).toEqual(['Content', 1]);
      expect(readFileSync(scene.host('file'), 'latin1')).toBe('Content');
    },
  },
  {
    title: 'a fid that is not open is neither read nor written',
    run: async (scene) => {
      writeFileSync(scene.host('file'), 'content');
      const fid = await scene.walk(['file']);
      expect([await outcome(scene.read(fid)), await outcome(scene.write(fid, 'x'))]).toEqual([
        'EBADF',
        'EBADF',
      ]);
      expect(await outcome(scene.entries(scene.directory))).toBe('EBADF');
    },
  },
  {
    title: 'a fid is opened once',
    run: async (scene) => {
      writeFileSync(scene.host('file'), 'content');
      const fid = await scene.open('file');
      expect(await refused(scene.client.request('Tlopen', { fid, flags: open.RDWR }))).toBe(true);
      expect(await scene.read(fid)).toBe('content');
    },
  },
  {
    title: 'O_TRUNC empties the file',
    run: async (scene) => {
      writeFileSync(scene.host('file'), 'content');
      await scene.open('file', open.WRONLY | open.TRUNC);
      expect(lstatSync(scene.host('file')).size).toBe(0);
    },
  },
  {
    title: 'O_APPEND writes at the end, whatever the offset',
    run: async (scene) => {
      writeFileSync(scene.host('file'), 'content');
      const fid = await scene.open('file', open.WRONLY | open.APPEND);
      expect(await scene.write(fid, ' and more')).toBe(9);
      expect(readFileSync(scene.host('file'), 'latin1')).toBe('content and more');
    },
  },
  {
    title: 'O_DIRECT does not need aligned memory',
    run: async (scene) => {
      writeFileSync(scene.host('file'), 'content');
      const fid = await scene.open('file', open.RDWR | open.DIRECT);
      expect([await scene.write(fid, 'C', 0), await scene.read(fid, 1, 3)]).toEqual([1, 'ont']);
    },
  },
  {
    title: 'what cannot be opened in this way has the error of the kernel',
    run: async (scene) => {
      writeFileSync(scene.host('file'), '');
      mkdirSync(scene.host('directory'));
      symlinkSync('file', scene.host('link'));
      expect([
        await outcome(scene.open('file', open.DIRECTORY)),
        await outcome(scene.open('directory', open.WRONLY)),
        await outcome(scene.open('directory', open.RDWR)),
        await outcome(scene.open('link', open.RDONLY)),
        await outcome(scene.open('link', open.NOFOLLOW)),
      ]).toEqual(['ENOTDIR', 'EISDIR', 'EISDIR', 'ELOOP', 'ELOOP']);
    },
  },
  {
    title: 'a FIFO, a socket or a device is not opened, and nobody waits for one',
    run: async (scene) => {
      mknod(Buffer.from(scene.host('fifo')), 0o010644, 0);
      mknod(Buffer.from(scene.host('null')), 0o020666, 0x103);
      mknod(Buffer.from(scene.host('socket')), 0o140666, 0);
      for (const name of ['fifo', 'null', 'socket'])
        for (const flags of [open.RDONLY, open.WRONLY, open.RDWR])
          expect([name, flags, await refused(scene.open(name, flags))]).toEqual([name, flags, true]);
    },
  },
  {
    title: 'Tlcreate makes the file and opens it',
    run: async (scene) => {
      const fid = await scene.walk([]);
      const create = {
        fid,
        name: 'new',
        flags: open.RDWR | open.CREATE | open.EXCL,
        mode: 0o100640,
        gid: 4_711,
      };
      const { qid } = await scene.client.request('Tlcreate', create);
      expect([await scene.write(fid, 'text'), await scene.read(fid)]).toEqual([4, 'text']);
      const { mode, uid, gid, size, ino } = lstatSync(scene.host('new'));
      expect([mode, uid, gid, size]).toEqual([0o100640, 0, 4_711, 4]);
      expect(ino).toBeGreaterThan(0);
      expect((await scene.getattr(fid)).qid.path).toBe(qid.path);
      expect(qid.type).toBe(qidType.FILE);
    },
  },
  {
    title: 'a file belongs to the user of the attach',
    run: async (scene) => {
      chmodSync(scene.host(), 0o777);
      const user = await scene.another(1_000);
      await user.create('by-user', open.RDWR, 0o600, 1_001);
      await scene.create('by-root', open.RDWR, 0o600, 0);
      const owners = ['by-user', 'by-root'].map((name) => {
        const { uid, gid } = lstatSync(scene.host(name));
        return [uid, gid];
      });
      expect(owners).toEqual([
        [1_000, 1_001],
        [0, 0],
      ]);
    },
  },
  {
    title: 'a set-gid directory gives its group',
    run: async (scene) => {
      mkdirSync(scene.host('shared'));
      chownSync(scene.host('shared'), 0, 5_000);
      chmodSync(scene.host('shared'), 0o2775);
      const fid = await scene.walk(['shared']);
      await scene.client.request('Tmkdir', { dfid: fid, name: 'below', mode: 0o755, gid: 5_000 });
      const create = { fid, name: 'file', flags: open.RDWR | open.CREATE, mode: 0o644, gid: 5_000 };
      await scene.client.request('Tlcreate', create);
      const groups = ['below', 'file'].map((name) => lstatSync(scene.host('shared', name)).gid);
      expect(groups).toEqual([5_000, 5_000]);
      expect(lstatSync(scene.host('shared', 'below')).mode & 0o7777).toBe(0o2755);
    },
  },
  {
    title: 'Tlcreate that fails leaves the fid at the directory',
    run: async (scene) => {
      writeFileSync(scene.host('there'), '');
      const fid = await scene.walk([]);
      const create = { fid, name: 'there', flags: open.RDWR | open.CREATE | open.EXCL, mode: 0o644, gid: 0 };
      expect(await outcome(scene.client.request('Tlcreate', create))).toBe('EEXIST');
      expect((await scene.getattr(fid)).qid.type).toBe(qidType.DIRECTORY);
      expect(await outcome(scene.client.request('Tlcreate', { ...create, name: 'other' }))).toBe('ok');
    },
  },
  {
    title: 'Tlcreate does not follow a link that is there',
    run: async (scene) => {
      symlinkSync('target', scene.host('link'));
      expect(await refused(scene.create('link'))).toBe(true);
      expect(readdirSync(scene.host())).toEqual(['link']);
    },
  },
];
