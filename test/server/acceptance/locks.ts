/** Tlock and Tgetlock. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { type Case, open, outcome, type Scene } from './scene.js';

const kind = { READ: 0, WRITE: 1, UNLOCK: 2 } as const;
const status = { OK: 0, BLOCKED: 1 } as const;

interface Range {
  readonly start?: number;
  readonly length?: number;
  readonly process?: number;
  readonly host?: string;
}

async function lock(scene: Scene, fid: number, type: number, range: Range = {}): Promise<number> {
  const { start = 0, length = 0, process = 1, host = 'guest' } = range;
  const fields = { fid, type, flags: 0, start, length, proc_id: process, client_id: host };
  return (await scene.client.request('Tlock', fields)).status;
}

function conflict(scene: Scene, fid: number, type: number, { process = 1, host = 'guest' }: Range = {}) {
  return scene.client.request('Tgetlock', {
    fid,
    type,
    start: 0,
    length: 0,
    proc_id: process,
    client_id: host,
  });
}

/** @returns a file that is open twice, by two connections */
async function shared(scene: Scene): Promise<[Scene, number, Scene, number]> {
  writeFileSync(scene.host('file'), '');
  const other = await scene.another();
  return [scene, await scene.open('file', open.RDWR), other, await other.open('file', open.RDWR)];
}

/** What another program of the host gets: exit status 1 is a lock that is in the way. */
function hostLock(path: string): string {
  const program = `
import fcntl, sys
try:
    fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)
    print('free')
except OSError:
    print('locked')`;
  return execFileSync('python3', ['-c', program, path], { encoding: 'utf8' }).trim();
}

export const locks: readonly Case[] = [
  {
    title: 'a lock keeps another client out until it is given back',
    run: async (scene) => {
      const [a, fidA, b, fidB] = await shared(scene);
      expect([
        await lock(a, fidA, kind.WRITE),
        await lock(b, fidB, kind.WRITE, { host: 'other' }),
        await lock(b, fidB, kind.READ, { host: 'other' }),
        await lock(a, fidA, kind.UNLOCK),
        await lock(b, fidB, kind.WRITE, { host: 'other' }),
        await lock(a, fidA, kind.READ),
      ]).toEqual([status.OK, status.BLOCKED, status.BLOCKED, status.OK, status.OK, status.BLOCKED]);
    },
  },
  {
    title: 'two processes of one client keep each other out',
    run: async (scene) => {
      const [a, fid] = await shared(scene);
      const second = await a.open('file', open.RDWR);
      expect([
        await lock(a, fid, kind.WRITE, { process: 1 }),
        await lock(a, second, kind.WRITE, { process: 2 }),
        await lock(a, fid, kind.WRITE, { process: 1 }),
        await lock(a, fid, kind.UNLOCK, { process: 1 }),
        await lock(a, second, kind.WRITE, { process: 2 }),
      ]).toEqual([status.OK, status.BLOCKED, status.OK, status.OK, status.OK]);
    },
  },
  {
    title: 'reading locks are shared',
    run: async (scene) => {
      const [a, fidA, b, fidB] = await shared(scene);
      expect([
        await lock(a, fidA, kind.READ),
        await lock(b, fidB, kind.READ, { host: 'other' }),
        await lock(b, fidB, kind.WRITE, { host: 'other' }),
      ]).toEqual([status.OK, status.OK, status.BLOCKED]);
    },
  },
  {
    title: 'locks are of ranges',
    run: async (scene) => {
      const [a, fidA, b, fidB] = await shared(scene);
      const other = 'other';
      expect([
        await lock(a, fidA, kind.WRITE, { start: 100, length: 10 }),
        await lock(b, fidB, kind.WRITE, { start: 0, length: 100, host: other }),
        await lock(b, fidB, kind.WRITE, { start: 110, length: 0, host: other }),
        await lock(b, fidB, kind.WRITE, { start: 109, length: 1, host: other }),
      ]).toEqual([status.OK, status.OK, status.OK, status.BLOCKED]);
    },
  },
  {
    title: 'Tgetlock tells what is in the way, and of whom',
    run: async (scene) => {
      const [a, fidA, b, fidB] = await shared(scene);
      expect((await conflict(b, fidB, kind.WRITE)).type).toBe(kind.UNLOCK);
      await lock(a, fidA, kind.WRITE, { start: 100, length: 10 });
      expect(await conflict(b, fidB, kind.WRITE, { host: 'other' })).toMatchObject({
        ...{ type: kind.WRITE, start: 100n, length: 10n },
      });
      expect((await conflict(a, fidA, kind.WRITE)).type).toBe(kind.UNLOCK);
    },
  },
  {
    title: "Tgetlock as Linux' client asks, with the type of an unlock, tells of every lock",
    run: async (scene) => {
      const [a, fidA, b, fidB] = await shared(scene);
      expect((await conflict(b, fidB, kind.UNLOCK)).type).toBe(kind.UNLOCK);
      for (const type of [kind.READ, kind.WRITE]) {
        await lock(a, fidA, type);
        expect((await conflict(b, fidB, kind.UNLOCK, { host: 'other' })).type).toBe(type);
      }
    },
  },
  {
    title: 'a lock ends with its fid, and with its connection',
    run: async (scene) => {
      const [a, fidA, b, fidB] = await shared(scene);
      await lock(a, fidA, kind.WRITE);
      await a.clunk(fidA);
      expect(await lock(b, fidB, kind.WRITE, { host: 'other' })).toBe(status.OK);
      const fid = await a.open('file', open.RDWR);
      b.client.close();
      // the server hears of it in its own time
      await expect.poll(() => lock(a, fid, kind.WRITE), { timeout: 5_000 }).toBe(status.OK);
    },
  },
  {
    title: 'a lock keeps programs of the host out',
    run: async (scene) => {
      const [a, fid] = await shared(scene);
      await lock(a, fid, kind.WRITE);
      expect(hostLock(scene.host('file'))).toBe('locked');
      await lock(a, fid, kind.UNLOCK);
      expect(hostLock(scene.host('file'))).toBe('free');
    },
  },
  {
    title: 'a fid that is not open has no locks',
    run: async (scene) => {
      writeFileSync(scene.host('file'), '');
      expect(await outcome(lock(scene, await scene.walk(['file']), kind.WRITE))).toBe('EBADF');
    },
  },
];
