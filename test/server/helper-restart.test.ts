/** `share` when its helper dies: another one takes its place, and the guest's files stay what they are. */
import { existsSync, lstatSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { isAlive } from '../../harness/run-process.js';
import { whyNotRoot } from '../../harness/helper-process.js';
import { NinepClient } from '../../harness/ninep-client.js';
import { patience } from '../../harness/patience.js';
import { at, open, outcome, Scene } from './acceptance/scene.js';
import {
  attached,
  expectGone,
  sharedForTest,
  type ShareProcess,
  socketPathForTest,
} from '../../harness/share-process.js';

const skipped = whyNotRoot();
const suffix = skipped === undefined ? '' : ` (${skipped})`;
const PATIENCE = { timeout: 20_000 * patience, interval: 10 };
const WRITE_LOCK = 1;
const [LOCKED, BLOCKED] = [0, 1];

async function sceneOf(path: string, directory: string): Promise<Scene> {
  const connect = (): Promise<NinepClient> => NinepClient.connect({ path });
  return Scene.enter({ connect, export: directory, stop: () => Promise.resolve() });
}

/** Kills what is the helper now. */
function kill(share: ShareProcess, signal: NodeJS.Signals = 'SIGKILL'): void {
  share.remember();
  process.kill(share.helpers()[0]!, signal);
}

async function lock(scene: Scene, fid: number, process: number): Promise<number> {
  const range = { start: 0, length: 0, proc_id: process, client_id: 'guest' };
  return (await scene.client.request('Tlock', { fid, type: WRITE_LOCK, flags: 0, ...range })).status;
}

describe.skipIf(skipped !== undefined)(`a helper that dies under a guest${suffix}`, () => {
  it.each(['passthrough', 'mapped-xattr', 'mapped-file'])(
    'is replaced, and open files go on: %s',
    async (model) => {
      const { share, path, directory } = await sharedForTest(`--security-model=${model}`);
      const scene = await sceneOf(path, directory);
      const named = await scene.create('named');
      const unlinked = await scene.create('unlinked');
      await scene.write(unlinked, '0123456789');
      await scene.remove('unlinked');
      await scene.client.request('Tmkdir', { dfid: scene.directory, name: 'below', mode: 0o755, gid: 0 });
      const below = await scene.walk(['below']);
      const listing = await scene.open('below');
      expect(await lock(scene, named, 1)).toBe(LOCKED);
      const before = [(await scene.getattr(scene.root)).qid.path, (await scene.getattr(named)).qid.path];

      // files of two helpers that are gone
      for (let round = 0; round < 2; round++) {
        kill(share);
        const name = `new${round}`;
        expect(await outcome(scene.walk(['below']))).toBe('ok');
        await scene.client.request('Twalk', { fid: below, newfid: 900 + round, names: [] });
        await scene.client.request('Tlcreate', { fid: 900 + round, name, flags: 0o102, mode: 0o644, gid: 0 });
      }
      expect([(await scene.getattr(scene.root)).qid.path, (await scene.getattr(named)).qid.path]).toEqual(
        before,
      );
      expect([await lock(scene, named, 1), await lock(scene, named, 2)]).toEqual([LOCKED, BLOCKED]);
      const again = await scene.open('named', open.RDWR);
      expect(await lock(scene, again, 2)).toBe(BLOCKED);
      await scene.write(named, 'written');
      await scene.setattr(named, { size: 4, mode: 0o640, uid: 5, gid: 6 });
      expect(await scene.getattr(named)).toMatchObject({ size: 4n, mode: 0o100640, uid: 5, gid: 6 });
      expect(await scene.getattr(again)).toMatchObject({ size: 4n, mode: 0o100640, uid: 5, gid: 6 });
      for (const fid of [900, 901]) await scene.setattr(fid, { mode: 0o600, atime: at(7n), mtime: at(8n) });
      expect((await scene.entries(listing)).map(({ name }) => name).sort()).toEqual([
        '.',
        '..',
        'new0',
        'new1',
      ]);
      expect([await scene.read(unlinked, 2), await scene.write(unlinked, 'x', 10)]).toEqual(['23456789', 1]);
      // mapped-file keeps what is not on the host by name
      if (model !== 'mapped-file') {
        await scene.setattr(unlinked, { size: 5 });
        await scene.setattr(unlinked, { mode: 0o600, uid: 7, gid: 8, atime: at(7n), mtime: at(8n) });
        expect(await scene.getattr(unlinked)).toMatchObject({
          ...{ size: 5n, nlink: 0n, mode: 0o100600, uid: 7, gid: 8, atime: at(7n), mtime: at(8n) },
        });
      }
      scene.leave().close();
      expect(await share.end()).toMatchObject({ status: 0 });
      expect(share.stderr.match(/the helper ended \(SIGKILL\): another one serves/g)).toHaveLength(2);
    },
  );

  it('is replaced while no guest is there, also one with a control socket', async () => {
    const control = socketPathForTest();
    const { share, path } = await sharedForTest(`--control=${control}`);
    const [first] = share.helpers();
    kill(share);
    await share.said('another one serves');
    const client = await attached(path);
    await client.request('Twalk', { fid: 0, newfid: 1, names: [] });
    expect(share.helpers()).toHaveLength(1);
    expect(share.helpers()).not.toContain(first);
    client.close();
    expect(await share.end()).toMatchObject({ status: 0 });
  });

  it('ends the share when others die as well, again and again', async () => {
    const { share, path } = await sharedForTest('--helper-restarts=2');
    const client = await attached(path);
    for (let round = 0; round < 3; round++) {
      await vi.waitFor(() => {
        expect(share.helpers()).toHaveLength(1);
      }, PATIENCE);
      kill(share);
      if (round < 2) await client.request('Tgetattr', { fid: 0, mask: 0x7ff });
    }
    const { status, stderr } = await share.end();
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^virtfs-proxy-helper: the helper ended \(SIGKILL\), and too often: .* not shared any more$/m,
    );
    await expectGone(share.remember());
  });

  it('ends the share when another one does not start, with its reason', async () => {
    const { share, path, directory } = await sharedForTest('--helper-restarts=2');
    const client = await attached(path);
    const elsewhere = `${directory}.moved`;
    renameSync(directory, elsewhere);
    try {
      kill(share);
      const { status, stderr } = await share.end();
      expect(status).toBe(1);
      expect(stderr).toMatch(/another helper did not start: cannot export .*: no such file.*, and too often/);
      await expect(client.request('Tgetattr', { fid: 0, mask: 0x7ff })).rejects.toThrow();
    } finally {
      renameSync(elsewhere, directory);
    }
  });

  it('ends the share rather than serve another directory in the place of the one that was shared', async () => {
    const { share, path, directory } = await sharedForTest();
    await attached(path);
    const elsewhere = `${directory}.moved`;
    renameSync(directory, elsewhere);
    mkdirSync(directory);
    try {
      kill(share);
      const { status, stderr } = await share.end();
      expect(status).toBe(1);
      expect(stderr).toContain('the exported directory is not the one that it was');
    } finally {
      rmSync(elsewhere, { recursive: true });
    }
  });

  it('ends the share after a forbidden system call: it may have been taken over', async () => {
    const { share, path } = await sharedForTest();
    await attached(path);
    kill(share, 'SIGSYS');
    const { status, stderr } = await share.end();
    expect(status).toBe(1);
    expect(stderr).toContain('the helper ended (SIGSYS)');
    expect(stderr).not.toContain('another');
  });

  it('leaves nothing behind when the guest leaves, or the share is told to end, while another one starts', async () => {
    for (const leave of ['guest', 'share'] as const) {
      const { share, path } = await sharedForTest();
      const client = await attached(path);
      kill(share);
      await vi.waitFor(() => {
        expect(share.startingHelpers()).toHaveLength(1);
      }, PATIENCE);
      const pids = [...share.remember(), ...share.startingHelpers()];
      if (leave === 'guest') client.close();
      else share.child.kill('SIGTERM');
      expect(await share.end()).toMatchObject({ status: 0, signal: null });
      await expectGone(pids);
    }
  });

  it('touches only its own client with --keep-listening', async () => {
    const { share, path, directory } = await sharedForTest('--keep-listening');
    writeFileSync(join(directory, 'file'), 'content');
    const first = await attached(path);
    const [helper] = share.helpers();
    const second = await attached(path);
    const others = share.helpers().filter((pid) => pid !== helper);
    share.remember();
    process.kill(helper!, 'SIGKILL');
    for (const client of [first, second]) {
      await client.request('Twalk', { fid: 0, newfid: 1, names: ['file'] });
      await client.request('Tlopen', { fid: 1, flags: 0 });
      expect((await client.request('Tread', { fid: 1, offset: 0, count: 10 })).data.toString()).toBe(
        'content',
      );
    }
    expect(others.every(isAlive)).toBe(true);
    expect(share.stderr).toMatch(/the helper ended \(SIGKILL\): another one serves.*client=1/);
    expect(share.helpers()).toHaveLength(2);
    expect(existsSync(join(directory, 'file')) && lstatSync(join(directory, 'file')).size).toBe(7);
  });
});
