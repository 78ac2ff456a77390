/**
 * Sockets and pidfiles in directories that another user may write: whatever he does there meanwhile, nothing of root's
 * is given to him, changed or removed.
 *
 *   VIRTFS_RACE_STARTS  how many starts each race has (12)
 */
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { helperForTest } from '../../harness/helper-process.js';
import { asOrdinaryUser, ordinaryUser } from '../../harness/ordinary-user.js';
import { exportForTest } from '../../harness/tree.js';
import { programForTest } from './child-program.js';
import { pause } from '../../harness/process-usage.js';
import { countFrom, skipUnlessRoot } from '../../harness/root-only.js';

const skip = skipUnlessRoot('starts in shared directories');
const starts = countFrom('VIRTFS_RACE_STARTS', 12);
const { uid, gid } = ordinaryUser;
const owner = ['-u', String(uid), '-g', String(gid)];

/** A directory in which the ordinary user's group may write, and something of root's that he may not. */
function sharedDirectory(mode: number): { directory: string; precious: string } {
  const directory = exportForTest();
  chownSync(directory, 0, gid);
  chmodSync(directory, mode);
  const precious = join(exportForTest(), 'precious');
  writeFileSync(precious, 'of root', { mode: 0o600 });
  return { directory, precious };
}

const describeFile = (path: string): unknown => {
  const { uid: owns, gid: group, mode } = lstatSync(path);
  return [owns, group, mode.toString(8), readFileSync(path, 'utf8')];
};

/** Starts a helper, and ends it when it waits for its client or has given up. */
async function startAndStop(args: readonly string[], ready: () => boolean): Promise<void> {
  const helper = helperForTest(['-n', ...args]);
  for (const end = Date.now() + 15_000; !ready() && helper.child.exitCode === null;) {
    if (Date.now() > end) throw new Error(`neither ready nor ended: ${helper.stderr()}`);
    await pause(2);
  }
  await helper.stop();
}

describe.skipIf(skip)('a directory that another user may write', () => {
  it.each([
    ['set-gid', 0o2770],
    ['not set-gid', 0o770],
  ])(
    'gives him no file of root: a link takes the name of each socket at once, %s',
    async (_what, mode) => {
      const { directory, precious } = sharedDirectory(mode);
      const before = describeFile(precious);
      const path = join(directory, 'socket');
      const plan = { path, target: precious, spare: join(directory, 'spare') };
      await programForTest('take-name', plan, asOrdinaryUser);
      for (let start = 0; start < starts; start++) {
        rmSync(path, { force: true });
        const args = ['-p', exportForTest(), '-s', path, ...owner];
        await startAndStop(args, () => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true);
        expect(describeFile(precious), `after start ${start}`).toEqual(before);
      }
    },
    120_000,
  );

  it('has the socket with its owner, group and mode when it appears, set-gid or not', async () => {
    const { directory } = sharedDirectory(0o2770);
    chownSync(directory, 0, 500);
    const path = join(directory, 'socket');
    const helper = helperForTest(['-n', '-p', exportForTest(), '-s', path, ...owner]);
    let seen: string[] | undefined;
    // without a pause: what is put right later would be seen before it is
    for (const end = Date.now() + 15_000; seen === undefined && Date.now() < end;) {
      await pause(0);
      for (let tries = 0; tries < 20_000 && seen === undefined; tries++) {
        const found = lstatSync(path, { throwIfNoEntry: false });
        if (found !== undefined) seen = [found.mode.toString(8), `${found.uid}:${found.gid}`];
      }
    }
    expect(seen, helper.stderr()).toEqual(['140770', `${uid}:${gid}`]);
    expect(readdirSync(directory)).toEqual(['socket']);
  });

  it.each(['--socket', '--pidfile', '--control'])(
    'does not lead %s elsewhere: a link that he made on the way is refused',
    async (option) => {
      const { directory, precious } = sharedDirectory(0o770);
      const elsewhere = join(precious, '..');
      const link = join(directory, 'way');
      symlinkSync(elsewhere, link);
      lchownSync(link, uid, gid);
      const path = join(link, 'precious');
      const socket = option === '--socket' ? [] : ['-s', join(exportForTest(), 'socket')];
      const { status, stderr } = await helperForTest([
        '-n',
        '-p',
        exportForTest(),
        ...socket,
        option,
        path,
      ]).exit();
      expect([status, stderr]).toEqual([
        1,
        expect.stringContaining(`the symbolic link way on the way belongs to user ${uid}`),
      ]);
      expect(readdirSync(elsewhere)).toEqual(['precious']);
      expect(readFileSync(precious, 'utf8')).toBe('of root');
    },
  );

  it('never has a start follow a link that comes and goes on the way', async () => {
    const { directory, precious } = sharedDirectory(0o770);
    const elsewhere = join(precious, '..');
    const way = join(directory, 'way');
    await programForTest('swap-way', { path: way, target: elsewhere }, asOrdinaryUser);
    let refused = 0;
    for (let start = 0; start < starts; start++) {
      const files = ['-s', join(way, 'socket'), '--pidfile', join(way, 'precious'), ...owner];
      const helper = helperForTest([
        '-n',
        '-p',
        exportForTest(),
        ...files,
        '--control',
        join(way, 'control'),
      ]);
      await Promise.race([helper.exit(15_000), pause(700)]);
      if (helper.child.exitCode !== null) refused++;
      await helper.stop();
      expect(readdirSync(elsewhere)).toEqual(['precious']);
      expect(readFileSync(precious, 'utf8')).toBe('of root');
    }
    console.log(`a link on the way: ${refused} of ${starts} starts did not find a directory there`);
  }, 120_000);

  it('lets a start go on where one was killed half way, and leaves nothing of it', async () => {
    const directory = exportForTest();
    const path = join(directory, 'socket');
    const staging = join(directory, '.socket.starting');
    mkdirSync(staging, 0o700);
    for (const name of ['new', 'old']) writeFileSync(join(staging, name), 'left');
    await startAndStop(['-p', exportForTest(), '-s', path], () => existsSync(path));
    expect(readdirSync(directory)).toEqual(['socket']);
  });

  it('is told of when he has taken the name of the staging directory', async () => {
    const { directory, precious } = sharedDirectory(0o770);
    const elsewhere = join(precious, '..');
    for (const make of [
      symlinkSync,
      (_target: string, path: string) => {
        mkdirSync(path, 0o777);
      },
    ]) {
      const staging = join(directory, '.socket.starting');
      make(elsewhere, staging);
      lchownSync(staging, uid, gid);
      const args = ['-n', '-p', exportForTest(), '-s', join(directory, 'socket')];
      const { status, stderr } = await helperForTest(args).exit();
      expect([status, stderr]).toEqual([1, expect.stringContaining('.socket.starting is in the way')]);
      expect(readdirSync(elsewhere)).toEqual(['precious']);
      rmSync(staging, { recursive: true });
    }
  });
});
