/** Paths longer than the kernel takes: a guest gets there with relative paths, and a frame carries 65,534 bytes of one. */
import { closeSync, constants, fstatSync, readSync, writeSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Session, startSession, whyNotRoot } from '../../harness/helper-process.js';
import { errnoName } from '../../harness/libc.js';
import { requests } from '../../harness/requests.js';
import { makeExport, removeTree, snapshot } from '../../harness/tree.js';
import type { Reply } from '../../harness/wire-client.js';

const skipped = whyNotRoot();

const owner = { uid: 1000, gid: 1000 };
const NAME = 'n'.repeat(255);
/** Levels of 256 bytes, so many that two such paths fit into one frame. */
const LEVELS = 120;
const deep = (levels: number): string => `/${NAME}`.repeat(levels);
const BOTTOM = deep(LEVELS);

describe.skipIf(skipped !== undefined)('long paths', () => {
  let root: string;
  let session: Session;
  const answer = (bytes: Buffer): string => errnoName(session.client.request(bytes).errno);
  const ask = (bytes: Buffer): Reply => session.client.request(bytes);

  beforeAll(() => {
    root = makeExport();
    session = startSession(root);
    for (let level = 1; level <= LEVELS; level++) {
      expect(answer(requests.mkdir(owner, deep(level), 0o755)), `level ${level}`).toBe('success');
    }
  });

  afterAll(async () => {
    session.client.close();
    await session.helper.stop();
    removeTree(root);
  });

  it('every level is there, and belongs to who made it', () => {
    const tree = snapshot(root);
    expect(tree.size).toBe(LEVELS + 1);
    expect(tree.get(BOTTOM)).toMatchObject({ type: 'directory', owner: '1000:1000', mode: '755' });
  });

  it.each([4_094, 4_095, 4_096, 4_097, 8_191, 8_192, 8_193, 12_288, 65_534])(
    'of exactly %i bytes work',
    (length) => {
      for (const [path, type] of [
        [`${'/'.repeat(length - 1)}.`, constants.S_IFDIR],
        [`${'/.'.repeat(Math.floor(length / 2))}${length % 2 === 1 ? '/' : ''}`, constants.S_IFDIR],
      ] as const) {
        expect(path).toHaveLength(length);
        const { errno, payload } = ask(requests.lstat(path));
        expect(errnoName(errno)).toBe('success');
        expect(payload.readUInt32LE(24) & constants.S_IFMT).toBe(type);
      }
    },
  );

  it('cut at every place relative to the piece that the kernel takes', () => {
    // The end of the path moves over the boundary, then the names move under it.
    for (let slashes = 0; slashes < 300; slashes++) {
      const path = `${'/'.repeat(slashes)}${deep(18)}`;
      expect(answer(requests.lstat(path)), `${slashes} slashes`).toBe('success');
      expect(answer(requests.lstat(`${path}/missing`)), `${slashes} slashes`).toBe('ENOENT');
    }
  });

  it('carry every request', () => {
    const file = `${BOTTOM}/file`;
    const created = ask(requests.create(file, 0x42, 0o640, owner));
    expect(errnoName(created.errno)).toBe('success');
    writeSync(created.descriptor!, 'deep');
    closeSync(created.descriptor!);
    const opened = ask(requests.open(file, 0x8000));
    const text = Buffer.alloc(10);
    expect(text.toString('utf8', 0, readSync(opened.descriptor!, text, 0, 10, 0))).toBe('deep');
    expect(fstatSync(opened.descriptor!).uid).toBe(1000);
    closeSync(opened.descriptor!);
    const directory = ask(requests.open(BOTTOM, constants.O_DIRECTORY));
    expect(directory.errno).toBe(0);
    closeSync(directory.descriptor!);
    const others = [
      requests.mknod(owner, `${BOTTOM}/fifo`, 0o10644, 0),
      requests.mkdir(owner, `${BOTTOM}/directory`, 0o755),
      requests.symlink(owner, 'file', `${BOTTOM}/link`),
      requests.link(file, `${BOTTOM}/hard`),
      requests.link(file, '/shallow'),
      requests.link('/shallow', `${BOTTOM}/back`),
      requests.lstat(`${BOTTOM}/link`),
      requests.readlink(`${BOTTOM}/link`, 4096),
      requests.statfs(BOTTOM),
      requests.chmod(file, 0o600),
      requests.chown(file, { uid: 5, gid: 6 }),
      requests.truncate(file, 2),
      requests.utime(file, [1n, 2n], [3n, 4n]),
      requests.lsetxattr(file, 'user.a', 'value'),
      requests.lgetxattr(10, file, 'user.a'),
      requests.llistxattr(100, file),
      requests.lremovexattr(file, 'user.a'),
      requests.getversion(file),
      requests.rename(`${BOTTOM}/hard`, '/up'),
      requests.rename('/up', `${BOTTOM}/down`),
      requests.rename(`${BOTTOM}/down`, `${BOTTOM}/moved`),
    ];
    expect(others.map(answer)).toEqual(others.map(() => 'success'));
    const tree = snapshot(root);
    expect(tree.get('/shallow')).toMatchObject({ size: '2', owner: '5:6', nlink: 4, mtime: '3000000004' });
    expect(tree.get(`${BOTTOM}/moved`)?.sameAs).toBe(tree.get(file)?.sameAs);
    for (const name of ['file', 'fifo', 'directory', 'link', 'back', 'moved']) {
      expect(answer(requests.remove(`${BOTTOM}/${name}`)), name).toBe('success');
    }
    expect(answer(requests.remove('/shallow'))).toBe('success');
    expect(snapshot(root).size).toBe(LEVELS + 1);
  });

  it('fail as short ones do, and leave nothing behind in the helper', () => {
    const failing: [string, Buffer][] = [
      ['ENOENT', requests.lstat(`${deep(40)}/missing`)],
      ['ENOENT', requests.lstat(`${deep(2)}/missing${deep(40)}`)],
      ['ENAMETOOLONG', requests.lstat(`${deep(40)}/${NAME}n`)],
      ['ENAMETOOLONG', requests.lstat(`/${'n'.repeat(5_000)}`)],
      ['EEXIST', requests.mkdir(owner, deep(40), 0o755)],
      ['ENOTEMPTY', requests.remove(deep(40))],
      ['ENOENT', requests.rename(`${deep(40)}/missing`, `${deep(30)}/x`)],
      ['ENOENT', requests.rename('/missing', `${deep(30)}/x`)],
      ['EINVAL', requests.rename(deep(30), `${deep(40)}/x`)],
      ['ENOENT', requests.link(`${deep(30)}/x`, `${deep(40)}/x`)],
    ];
    expect(failing.map(([, bytes]) => answer(bytes))).toEqual(failing.map(([expected]) => expected));
    // The walk stands in some directory while it works; afterwards paths begin at the root again.
    expect(ask(requests.lstat('.')).payload.readBigInt64LE(8)).toBe(
      ask(requests.lstat('/')).payload.readBigInt64LE(8),
    );
  });

  it('never lead out of the export', () => {
    const up = '/..'.repeat(2_000);
    const outside = [
      `${up}/etc/passwd`,
      `${deep(40)}${up}/etc/passwd`,
      `${'/.'.repeat(3_000)}${up}/etc/passwd`,
    ];
    for (const path of outside) expect(['ENOENT', 'ENAMETOOLONG']).toContain(answer(requests.lstat(path)));
    expect(ask(requests.symlink(owner, '/etc', `${deep(20)}/etc`)).errno).toBe(0);
    expect(answer(requests.lstat(`${deep(20)}/etc/passwd`))).toBe('ENOENT');
    expect(answer(requests.remove(`${deep(20)}/etc`))).toBe('success');
  });
});
