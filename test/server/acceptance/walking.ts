/** Tversion, Tattach, Twalk, Tclunk: how fids come and go. */
import { lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { NOFID } from '../../../harness/ninep-messages.js';
import { type Case, outcome, qidType, refused, type Scene } from './scene.js';

const attach = (scene: Scene, fid: number, afid = NOFID): Promise<object> =>
  scene.client.request('Tattach', { fid, afid, uname: '', aname: scene.server.aname ?? '', n_uname: 0 });

const walk = (
  scene: Scene,
  fid: number,
  newfid: number,
  names: readonly string[],
): Promise<{ qids: readonly object[] }> => scene.client.request('Twalk', { fid, newfid, names });

function tree(scene: Scene): void {
  mkdirSync(scene.host('a', 'b'), { recursive: true });
  writeFileSync(scene.host('a', 'b', 'file'), 'content');
  symlinkSync('a', scene.host('link'));
}

export const walking: readonly Case[] = [
  {
    title: 'the root is a directory, with the inode of the export',
    run: async (scene) => {
      const { qid, mode } = await scene.getattr(scene.root);
      expect([qid.type, mode & 0o170000]).toEqual([qidType.DIRECTORY, 0o040000]);
    },
  },
  {
    title: 'a fid that is in use cannot be attached',
    run: async (scene) => {
      expect(await refused(attach(scene, scene.directory))).toBe(true);
      expect((await scene.getattr(scene.directory)).qid.path).not.toBe(
        (await scene.getattr(scene.root)).qid.path,
      );
    },
  },
  {
    title: 'several fids may be attached, each at the root',
    run: async (scene) => {
      const fid = scene.client.newFid();
      await attach(scene, fid);
      expect((await scene.getattr(fid)).qid.path).toBe((await scene.getattr(scene.root)).qid.path);
    },
  },
  {
    title: 'there is no authentication',
    run: async (scene) => {
      const auth = { afid: 900, uname: 'root', aname: scene.server.aname ?? '', n_uname: 0 };
      expect(await refused(scene.client.request('Tauth', auth))).toBe(true);
      expect(await refused(attach(scene, 901, 900))).toBe(true);
    },
  },
  {
    title: 'a walk of three names gives the qid of each',
    run: async (scene) => {
      tree(scene);
      const newfid = scene.client.newFid();
      const { qids } = await scene.client.request('Twalk', {
        ...{ fid: scene.directory, newfid, names: ['a', 'b', 'file'] },
      });
      expect(qids.map(({ type }) => type)).toEqual([qidType.DIRECTORY, qidType.DIRECTORY, qidType.FILE]);
      expect(new Set(qids.map(({ path }) => path)).size).toBe(3);
      expect((await scene.getattr(newfid)).qid).toEqual(qids[2]);
    },
  },
  {
    title: 'a walk of no names makes another fid of the same file, which lives for itself',
    run: async (scene) => {
      tree(scene);
      const fid = await scene.walk(['a', 'b', 'file']);
      const copy = await scene.walk([], fid);
      await scene.clunk(fid);
      expect((await scene.getattr(copy)).size).toBe(7n);
      expect(await scene.knows(fid)).toBe(false);
    },
  },
  {
    title: 'a first name that is missing is ENOENT, and makes no fid',
    run: async (scene) => {
      const newfid = scene.client.newFid();
      expect(await outcome(walk(scene, scene.directory, newfid, ['absent', 'x']))).toBe('ENOENT');
      expect(await scene.knows(newfid)).toBe(false);
    },
  },
  {
    title: 'a later name that is missing ends the walk there, and makes no fid',
    run: async (scene) => {
      tree(scene);
      const newfid = scene.client.newFid();
      expect((await walk(scene, scene.directory, newfid, ['a', 'b', 'absent', 'x'])).qids).toHaveLength(2);
      expect(await scene.knows(newfid)).toBe(false);
    },
  },
  {
    title: 'a fid may walk itself, and stays where it is when a name is missing',
    run: async (scene) => {
      tree(scene);
      const fid = await scene.walk([]);
      expect((await walk(scene, fid, fid, ['a', 'absent'])).qids).toHaveLength(1);
      expect((await walk(scene, fid, fid, ['a', 'b'])).qids).toHaveLength(2);
      expect((await walk(scene, fid, fid, ['file'])).qids).toHaveLength(1);
      expect((await scene.getattr(fid)).size).toBe(7n);
    },
  },
  {
    title: '.. is the directory above, and at the root the root',
    run: async (scene) => {
      tree(scene);
      const inode = async (names: readonly string[], from: number): Promise<bigint> =>
        (await scene.getattr(await scene.walk(names, from))).qid.path;
      const root = (await scene.getattr(scene.root)).qid.path;
      const own = (await scene.getattr(scene.directory)).qid.path;
      const b = await scene.walk(['a', 'b']);
      expect(await inode(['..', '..'], b)).toBe(own);
      expect(await inode(['a', '..', 'a', '..'], scene.directory)).toBe(own);
      expect(await inode(['..'], scene.root)).toBe(root);
      expect(await inode(['..', '..', '..', '..'], scene.directory)).toBe(root);
      expect(await inode(['..', '..', scene.name], scene.root)).toBe(own);
    },
  },
  {
    title: '. is the directory itself',
    run: async (scene) => {
      tree(scene);
      const inode = async (names: readonly string[], from = scene.directory): Promise<bigint> =>
        (await scene.getattr(await scene.walk(names, from))).qid.path;
      const b = await inode(['a', 'b']);
      expect(await inode(['a', '.', 'b', '.'])).toBe(b);
      expect(await inode(['.', 'a', 'b'])).toBe(b);
      expect(await inode(['.', '..', scene.name, 'a', '.', 'b'])).toBe(b);
      expect(await inode(['.'], scene.root)).toBe((await scene.getattr(scene.root)).qid.path);
      expect((await walk(scene, scene.directory, 900, ['a', 'b', 'file', '.'])).qids).toHaveLength(3);
    },
  },
  {
    title: 'nothing is below a file',
    run: async (scene) => {
      tree(scene);
      const file = await scene.walk(['a', 'b', 'file']);
      expect(await outcome(walk(scene, file, 900, ['x']))).toBe('ENOTDIR');
      expect((await walk(scene, scene.directory, 901, ['a', 'b', 'file', 'x'])).qids).toHaveLength(3);
      expect(await scene.knows(901)).toBe(false);
    },
  },
  {
    title: 'a symbolic link is walked to, never through',
    run: async (scene) => {
      tree(scene);
      const link = await scene.walk(['link']);
      expect((await scene.getattr(link)).qid.type).toBe(qidType.SYMLINK);
      expect(await outcome(walk(scene, link, 900, ['b']))).toBe('ENOTDIR');
      expect((await walk(scene, scene.directory, 901, ['link', 'b'])).qids).toHaveLength(1);
    },
  },
  {
    title: 'sixteen names are one walk',
    run: async (scene) => {
      const names = Array.from({ length: 16 }, (_, level) => `level${level}`);
      mkdirSync(scene.host(...names), { recursive: true });
      const deepest = await scene.walk(names);
      const { ino } = lstatSync(scene.host(...names), { bigint: true });
      expect((await scene.getattr(deepest)).qid.type).toBe(qidType.DIRECTORY);
      expect(ino).toBeGreaterThan(0n);
    },
  },
  ...['with/slash', '', 'n'.repeat(256)].map((name): Case => ({
    title: `a name cannot be ${name === '' ? 'empty' : `${name.slice(0, 10)} (${name.length})`}`,
    run: async (scene) => {
      mkdirSync(scene.host('with', 'slash'), { recursive: true });
      expect(await refused(walk(scene, scene.directory, 900, [name]))).toBe(true);
      expect(await refused(scene.create(name))).toBe(true);
      const mkdir = { dfid: scene.directory, name, mode: 0o755, gid: 0 };
      expect(await refused(scene.client.request('Tmkdir', mkdir))).toBe(true);
    },
  })),
  {
    title: '. and .. cannot be made, removed or renamed',
    run: async (scene) => {
      tree(scene);
      const { client } = scene;
      const dfid = await scene.walk(['a']);
      for (const name of ['.', '..']) {
        expect(await refused(client.request('Tmkdir', { dfid, name, mode: 0o755, gid: 0 }))).toBe(true);
        expect(await refused(client.request('Tunlinkat', { dirfd: dfid, name, flags: 0x200 }))).toBe(true);
        const rename = { olddirfid: dfid, oldname: 'b', newdirfid: dfid, newname: name };
        expect(await refused(client.request('Trenameat', rename))).toBe(true);
        expect(await refused(client.request('Tsymlink', { dfid, name, target: 'x', gid: 0 }))).toBe(true);
      }
      expect(lstatSync(scene.host('a', 'b', 'file')).size).toBe(7);
    },
  },
  {
    title: 'a fid that is in use is no newfid',
    run: async (scene) => {
      tree(scene);
      const used = await scene.walk(['a']);
      expect(await refused(walk(scene, scene.directory, used, ['link']))).toBe(true);
      expect((await scene.getattr(used)).qid.type).toBe(qidType.DIRECTORY);
    },
  },
  {
    title: 'a fid that nobody made has the same error in every message',
    run: async (scene) => {
      const { client } = scene;
      const fid = 987_654;
      const dfid = fid;
      const here = scene.directory;
      const t = { seconds: 0n, nanoseconds: 0n };
      const lock = { fid, type: 0, start: 0, length: 0, proc_id: 1, client_id: 'x' };
      expect(
        await Promise.all([
          client.outcome('Tclunk', { fid }),
          client.outcome('Tremove', { fid }),
          client.outcome('Twalk', { fid, newfid: 901, names: [] }),
          client.outcome('Tlopen', { fid, flags: 0 }),
          client.outcome('Tlcreate', { fid, name: 'x', flags: 2, mode: 0o600, gid: 0 }),
          client.outcome('Tread', { fid, offset: 0, count: 1 }),
          client.outcome('Twrite', { fid, offset: 0, data: Buffer.of(1) }),
          client.outcome('Treaddir', { fid, offset: 0, count: 100 }),
          client.outcome('Tgetattr', { fid, mask: 0x7ff }),
          client.outcome('Tsetattr', { fid, valid: 0, mode: 0, uid: 0, gid: 0, size: 0, atime: t, mtime: t }),
          client.outcome('Tstatfs', { fid }),
          client.outcome('Tfsync', { fid, datasync: 0 }),
          client.outcome('Treadlink', { fid }),
          client.outcome('Txattrwalk', { fid, newfid: 902, name: '' }),
          client.outcome('Txattrcreate', { fid, name: 'user.a', size: 1, flags: 0 }),
          client.outcome('Tlock', { ...lock, flags: 0 }),
          client.outcome('Tgetlock', lock),
          client.outcome('Tmkdir', { dfid, name: 'x', mode: 0o755, gid: 0 }),
          client.outcome('Tmknod', { dfid, name: 'x', mode: 0o010644, major: 0, minor: 0, gid: 0 }),
          client.outcome('Tsymlink', { dfid, name: 'x', target: 'y', gid: 0 }),
          client.outcome('Tlink', { dfid, fid: here, name: 'x' }),
          client.outcome('Tlink', { dfid: here, fid, name: 'x' }),
          client.outcome('Trename', { fid, dfid: here, name: 'x' }),
          client.outcome('Trenameat', { olddirfid: dfid, oldname: 'x', newdirfid: here, newname: 'y' }),
          client.outcome('Trenameat', { olddirfid: here, oldname: 'x', newdirfid: dfid, newname: 'y' }),
          client.outcome('Tunlinkat', { dirfd: fid, name: 'x', flags: 0 }),
        ]),
      ).toEqual(Array.from({ length: 26 }, () => scene.unknownFid));
    },
  },
  {
    title: 'Tversion ends all fids',
    run: async (scene) => {
      const fid = await scene.create('file');
      await scene.client.version();
      expect(await scene.knows(fid)).toBe(false);
      expect(await scene.knows(scene.root)).toBe(false);
      await scene.client.attach(scene.root, 0, scene.server.aname);
      expect(await outcome(scene.getattr(scene.root))).toBe('ok');
    },
  },
  {
    title: 'Tversion never agrees to more than was asked, and knows no other protocol',
    run: async (scene) => {
      const client = await scene.fresh();
      expect(await client.version('9P2000.L', 8_192)).toEqual({ msize: 8_192, version: '9P2000.L' });
      expect((await client.version('9P2000.L', 0x7fff_ffff)).msize).toBeLessThanOrEqual(0x7fff_ffff);
      expect((await client.version('8P', 8_192)).version).toBe('unknown');
    },
  },
];
