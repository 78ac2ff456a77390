/** Txattrwalk and Txattrcreate: extended attributes. */
import { writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { setXattr, xattrs as xattrsOf } from '../../../harness/libc.js';
import { type Case, outcome, refused, type Scene } from './scene.js';

const file = (scene: Scene): Promise<number> => {
  writeFileSync(scene.host('file'), 'content');
  return scene.walk(['file']);
};

const CREATE = 1;
const REPLACE = 2;

/** @returns what the Tclunk that gives the attribute to the file comes to */
async function setXattrOf(
  scene: Scene,
  of: number,
  name: string,
  value: string,
  flags = 0,
  size = value.length,
): Promise<string> {
  const fid = await scene.walk([], of);
  await scene.client.request('Txattrcreate', { fid, name, size, flags });
  for (let at = 0; at < value.length; at += 1_000) await scene.write(fid, value.slice(at, at + 1_000), at);
  const clunked = await outcome(scene.clunk(fid));
  expect(await scene.knows(fid)).toBe(false);
  return clunked;
}

async function getXattrOf(scene: Scene, fid: number, name: string): Promise<string> {
  const newfid = scene.client.newFid();
  const { size } = await scene.client.request('Txattrwalk', { fid, newfid, name });
  const value = await scene.read(newfid, 0, Number(size));
  await scene.clunk(newfid);
  return value;
}

const onHost = (scene: Scene): Record<string, string> =>
  Object.fromEntries(
    xattrsOf(Buffer.from(scene.host('file'))).map(([name, value]) => [
      name.toString(),
      value.toString('latin1'),
    ]),
  );

export const xattrs: readonly Case[] = [
  {
    title: 'an attribute is read, in parts, too',
    run: async (scene) => {
      const fid = await file(scene);
      setXattr(Buffer.from(scene.host('file')), Buffer.from('user.a'), Buffer.from('0123456789'));
      const newfid = scene.client.newFid();
      expect(await scene.client.request('Txattrwalk', { fid, newfid, name: 'user.a' })).toEqual({
        size: 10n,
      });
      expect([
        await scene.read(newfid, 0, 4),
        await scene.read(newfid, 4, 100),
        await scene.read(newfid, 10),
      ]).toEqual(['0123', '456789', '']);
    },
  },
  {
    title: 'the list of attributes is an attribute without a name',
    run: async (scene) => {
      const fid = await file(scene);
      expect(await getXattrOf(scene, fid, '')).toBe('');
      for (const name of ['user.a', 'user.b'])
        setXattr(Buffer.from(scene.host('file')), Buffer.from(name), Buffer.from('x'));
      expect((await getXattrOf(scene, fid, '')).split('\0').sort()).toEqual(['', 'user.a', 'user.b']);
    },
  },
  {
    title: 'an attribute that is not there is ENODATA, and makes no fid',
    run: async (scene) => {
      const fid = await file(scene);
      expect(await outcome(scene.client.request('Txattrwalk', { fid, newfid: 900, name: 'user.a' }))).toBe(
        'ENODATA',
      );
      expect(await outcome(scene.read(900))).toBe(scene.unknownFid);
    },
  },
  {
    title: 'an attribute is set when its fid is clunked',
    run: async (scene) => {
      const fid = await file(scene);
      const value = 'v'.repeat(2_500);
      expect(await setXattrOf(scene, fid, 'user.a', value)).toBe('ok');
      expect(await getXattrOf(scene, fid, 'user.a')).toBe(value);
      expect(onHost(scene)).toEqual({ 'user.a': value });
    },
  },
  {
    title: 'the flags say whether an attribute has to be there',
    run: async (scene) => {
      const fid = await file(scene);
      expect([
        await setXattrOf(scene, fid, 'user.a', 'x', REPLACE),
        await setXattrOf(scene, fid, 'user.a', 'one', CREATE),
        await setXattrOf(scene, fid, 'user.a', 'two', CREATE),
        await setXattrOf(scene, fid, 'user.a', 'three', REPLACE),
      ]).toEqual(['ENODATA', 'ok', 'EEXIST', 'ok']);
      expect(onHost(scene)).toEqual({ 'user.a': 'three' });
    },
  },
  {
    title: 'a size of 0 with the flag of a replacement removes, as Linux asks for it',
    run: async (scene) => {
      const fid = await file(scene);
      await setXattrOf(scene, fid, 'user.a', 'x');
      expect([
        await setXattrOf(scene, fid, 'user.a', '', REPLACE),
        await setXattrOf(scene, fid, 'user.a', '', REPLACE),
      ]).toEqual(['ok', 'ENODATA']);
      expect(onHost(scene)).toEqual({});
    },
  },
  {
    title: 'a size of 0 without it sets an empty attribute',
    run: async (scene) => {
      const fid = await file(scene);
      expect(await setXattrOf(scene, fid, 'user.a', '')).toBe('ok');
      expect(onHost(scene)).toEqual({ 'user.a': '' });
    },
  },
  {
    title: 'an attribute of which a part is missing, or too much is there, is not set',
    run: async (scene) => {
      const fid = await file(scene);
      expect(await setXattrOf(scene, fid, 'user.a', 'short', 0, 100)).not.toBe('ok');
      const longer = await scene.walk([], fid);
      await scene.client.request('Txattrcreate', { fid: longer, name: 'user.a', size: 3, flags: 0 });
      expect(await refused(scene.write(longer, 'longer'))).toBe(true);
      await outcome(scene.clunk(longer));
      expect(onHost(scene)).toEqual({});
    },
  },
  {
    title: 'an attribute that Linux cannot have takes no memory',
    run: async (scene) => {
      for (const size of [65_537, 2 ** 32, 2n ** 64n - 1n]) {
        const fid = await scene.walk([]);
        const create = { fid, name: 'user.a', size, flags: 0 };
        expect([size, await refused(scene.client.request('Txattrcreate', create))]).toEqual([size, true]);
      }
    },
  },
  {
    title: 'an attribute of an unknown kind has the error of the host',
    run: async (scene) => {
      const fid = await file(scene);
      expect(await setXattrOf(scene, fid, 'nowhere.a', 'x')).toBe('EOPNOTSUPP');
      expect(onHost(scene)).toEqual({});
    },
  },
];
