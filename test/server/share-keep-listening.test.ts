/** `share --keep-listening`: every guest has processes of its own. */
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import { NinepClient } from '../../harness/ninep-client.js';
import {
  attached,
  expectGone,
  sharedForTest,
  ShareProcess,
  socketPathForTest,
} from '../../harness/share-process.js';

const skipped = whyNotRoot();
const suffix = skipped === undefined ? '' : ` (${skipped})`;
describe.skipIf(skipped !== undefined)(`share --keep-listening${suffix}`, () => {
  it('serves several guests by processes of their own, one after the other and at once', async () => {
    const { share, path, directory } = await sharedForTest('--keep-listening');
    writeFileSync(join(directory, 'file'), 'content');
    expect(share.servers()).toEqual([]);
    const clients = await Promise.all([attached(path), attached(path)]);
    expect([share.helpers().length, share.servers().length]).toEqual([2, 2]);
    const pids = share.remember();
    clients[0].close();
    await vi.waitFor(() => {
      expect(share.servers()).toHaveLength(1);
    }, 5_000);
    const third = await attached(path);
    for (const client of [clients[1], third])
      await client.request('Twalk', { fid: 0, newfid: 1, names: [Buffer.from('file')] });
    share.child.kill('SIGTERM');
    expect(await share.end()).toMatchObject({ status: 0 });
    await expectGone(pids);
  });

  it('goes on when one breaks the protocol, is killed, or connects for nothing', async () => {
    const { share, path } = await sharedForTest('--keep-listening');
    const good = await attached(path);
    const [server] = share.servers();
    const bad = await NinepClient.connect({ path });
    bad.write(Buffer.from('GET / HTTP/1.0\r\n\r\n'));
    await share.said('the client broke the protocol');
    await attached(path);
    const another = share.servers().find((pid) => pid !== server)!;
    process.kill(another, 'SIGKILL');
    await share.said('the 9P server ended (SIGKILL)');
    connect(path)
      .on('error', () => undefined)
      .destroy();
    await good.request('Tgetattr', { fid: 0, mask: 0x7ff });
    await attached(path);
    bad.close();
  });

  it('has one who comes back often wait, and serves him', async () => {
    const { path } = await sharedForTest('--keep-listening');
    const clients: NinepClient[] = [];
    for (let count = 0; count < 12; count++) clients.push(await attached(path));
    for (const client of clients) client.close();
  }, 60_000);

  it('gives no place to connections that are gone', async () => {
    const { share, path } = await sharedForTest('--keep-listening');
    for (let count = 0; count < 80; count++) {
      await new Promise((resolve) => {
        const socket = connect(path);
        socket.on('error', () => undefined).on('close', resolve);
        socket.on('connect', () => {
          socket.destroy();
        });
      });
    }
    await attached(path);
    expect(share.stderr).not.toContain('too many');
  }, 60_000);

  it('refuses one who takes too many places, and nobody else', async () => {
    const { share, path } = await sharedForTest('--keep-listening');
    const good = await attached(path);
    const places = Array.from({ length: 64 }, () => connect(path).on('error', () => undefined));
    onTestFinished(() => {
      for (const socket of places) socket.destroy();
    });
    await share.said('refused a client: there are too many');
    await good.request('Tgetattr', { fid: 0, mask: 0x7ff });
  });

  it('tells what is wrong with the export before anybody comes', async () => {
    const args = ['--path=/nowhere', `--listen=unix:${socketPathForTest()}`, '--keep-listening'];
    const { status, report } = await new ShareProcess(args).end();
    expect([status, report]).toEqual([1, expect.stringContaining('cannot export /nowhere')]);
  });
});
