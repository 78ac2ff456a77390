/** What a guest that has taken over its 9P server can do: to the host, to `share`, and to another guest of it. */
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { isAlive } from '../../harness/run-process.js';
import { open, Scene } from '../server/acceptance/scene.js';
import { expectGone, ShareProcess, socketPathForTest } from '../../harness/share-process.js';
import { NinepClient } from '../../harness/ninep-client.js';
import { patience } from '../../harness/patience.js';
import { exportForTest } from '../../harness/tree.js';
import { openDescriptors, residentKib } from '../../harness/process-usage.js';
import { bundleToLoad } from './loaded-program.js';
import type { Attack } from './programs/hostile-server.js';
import { skipUnlessRoot } from '../../harness/root-only.js';

const skip = skipUnlessRoot('a hostile 9P server');
/** An attack takes ten seconds where nothing else runs. */
const WAIT = { timeout: 80_000 * patience, interval: 20 };

/** NODE_OPTIONS that have a server taken over. */
let takenOver = '';
beforeAll(() => {
  const { nodeOptions, remove } = bundleToLoad('hostile-server');
  takenOver = nodeOptions;
  return remove;
});
interface Attacked {
  readonly share: ShareProcess;
  readonly secret: string;
  /** Of the guest that has taken over its server: the server, and the helper. */
  readonly server: number;
  readonly helper: number;
  readonly neighbour: Scene;
}

/** Two guests of one share. */
async function twoGuests(): Promise<Attacked> {
  const [outside, directory, path] = [exportForTest(), exportForTest(), socketPathForTest()];
  const secret = join(outside, 'passwd');
  writeFileSync(secret, 'secret', { mode: 0o600 });
  writeFileSync(join(directory, 'file'), 'content');
  symlinkSync(secret, join(directory, 'way'));
  symlinkSync(outside, join(directory, 'directory-way'));
  mkdirSync(join(directory, 'etc'));
  const env = { ...process.env, NODE_OPTIONS: takenOver };
  const share = new ShareProcess([`--path=${directory}`, `--listen=unix:${path}`, '--keep-listening'], {
    env,
  });
  await share.ready();
  const guest = {
    export: directory,
    connect: () => NinepClient.connect({ path }),
    stop: () => Promise.resolve(),
  };
  await Scene.enter(guest);
  const [server, helper] = [share.servers()[0]!, share.helpers()[0]!];
  const neighbour = await Scene.enter(guest);
  share.remember();
  return { share, secret, server, helper, neighbour };
}

async function attack({ share, server }: Attacked, signal: NodeJS.Signals): Promise<Attack> {
  process.kill(server, signal);
  return vi.waitFor(() => {
    const [, result] = /^attacked (.*)$/m.exec(share.stderr) ?? [];
    expect(result, share.stderr).toBeDefined();
    return JSON.parse(result ?? '{}') as Attack;
  }, WAIT);
}

/** Another guest works as ever, and another one can come. */
async function expectService({ neighbour: scene }: Attacked, name: string): Promise<void> {
  const fid = await scene.create(name);
  await scene.write(fid, 'content');
  await scene.setattr(fid, { mode: 0o600 });
  expect([await scene.read(fid), (await scene.getattr(fid)).size]).toEqual(['content', 7n]);
  await scene.remove(name);
  expect(await scene.read(await scene.open([], open.DIRECTORY), 0).catch(() => 'EISDIR')).toBe('EISDIR');
  expect(await scene.another()).toBeDefined();
}

describe.skipIf(skip)('a guest that has taken over its 9P server', { timeout: 240_000 * patience }, () => {
  it('gets nothing but the export, keeps nobody waiting, and cannot stay', async () => {
    const attacked = await twoGuests();
    const { share, secret, helper } = attacked;
    const before = [openDescriptors(helper), residentKib(helper)] as const;
    const { paths, strangers, own, flood } = await attack(attacked, 'SIGUSR2');
    for (const [way, results] of Object.entries(paths)) {
      // a link itself has a mode that cannot be changed, and leads nowhere
      for (const result of results)
        expect([way, result]).toEqual([way, expect.stringMatching(/^(ENOENT|ENOTDIR|EOPNOTSUPP|ELOOP)$/)]);
    }
    expect(strangers).toEqual(['EBADF']);
    expect(new Set(own.slice(0, 5))).toEqual(new Set(['ENOSYS']));
    expect([readFileSync(secret, 'utf8'), statSync(secret).mode & 0o777]).toEqual(['secret', 0o600]);
    // the helper, which waits for it, takes no more
    expect(flood.requests).toBeGreaterThan(0);
    expect(flood.descriptors).toBeLessThan(100_000);
    await expectService(attacked, 'during');
    expect(openDescriptors(helper)).toBeLessThan(before[0] + 16);
    expect(residentKib(helper)).toBeLessThan(before[1] + 50_000);
    expect(share.report).toBe('ready\n');
    // it does not listen to SIGTERM
    const pids = share.remember();
    share.child.kill('SIGTERM');
    expect((await share.end()).status).toBe(0);
    await expectGone(pids);
  });

  it('loses its helper by breaking its protocol, and is ended; the share and its other guests stay', async () => {
    const attacked = await twoGuests();
    const { share, server, helper } = attacked;
    await attack(attacked, 'SIGWINCH');
    await vi.waitFor(() => {
      expect([isAlive(helper), isAlive(server)]).toEqual([false, false]);
    }, WAIT);
    await expectService(attacked, 'afterwards');
    const pids = share.remember();
    attacked.neighbour.leave().close();
    share.child.kill('SIGTERM');
    expect((await share.end()).status).toBe(0);
    await expectGone(pids);
  });
});
