/** What a 9P server tells of itself and of its helper, over every way in which messages come. */
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import { socketpair } from '../../harness/libc.js';
import type { NinepClient } from '../../harness/ninep-client.js';
import { NOFID, NOTAG } from '../../harness/ninep-messages.js';
import { decodeFrame } from '../../harness/ninep-codec.js';
import { patience } from '../../harness/patience.js';
import { attached, sharedForTest, ShareProcess, socketPathForTest } from '../../harness/share-process.js';
import { controlPathForTest, pairJson, type ServerCounters, status } from '../../harness/status-command.js';
import { exportForTest } from '../../harness/tree.js';
import { helperAt, place, serverAt } from '../server/halves.js';
import { DATA, REGIONS, RING, tmsg } from '../server/vhost-device.js';
import { Driver } from '../server/vhost-driver.js';
import { Emulator, Memory } from '../server/vhost-front-end.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`the status of a 9P server skipped: ${skipped}`);

const PATIENCE = { timeout: 10_000 * patience };
const CONTENT = 'content';

/** A share that tells of itself, with a file. */
async function watched(...options: string[]): Promise<{
  share: ShareProcess;
  path: string;
  control: string;
  directory: string;
}> {
  const control = controlPathForTest();
  const shared = await sharedForTest(`--control=${control}`, ...options);
  writeFileSync(join(shared.directory, 'file'), CONTENT);
  return { ...shared, control };
}

/** Opens the file as fid 1, reads it, adds to it, locks it, and looks for one that is not there. */
async function work(client: NinepClient): Promise<void> {
  await client.request('Twalk', { fid: 0, newfid: 1, names: ['file'] });
  await client.request('Tlopen', { fid: 1, flags: 2 });
  const { data } = await client.request('Tread', { fid: 1, offset: 0n, count: 100 });
  expect(data.toString()).toBe(CONTENT);
  await client.request('Twrite', { fid: 1, offset: 7n, data: Buffer.from('more') });
  const lock = { fid: 1, type: 1, flags: 0, start: 0n, length: 0n, proc_id: 1, client_id: 'guest' };
  expect((await client.request('Tlock', lock)).status).toBe(0);
  expect(await client.outcome('Twalk', { fid: 0, newfid: 2, names: ['missing'] })).toBe('ENOENT');
}

/** What the server counts, apart from what work() does not decide. */
function expectWork({ messages, ...server }: ServerCounters): void {
  expect(server).toMatchObject({
    connected: true,
    dialect: '9P2000.L',
    fids: 2,
    openFiles: 1,
    descriptors: 1,
    locks: 1,
    fileBytes: { read: CONTENT.length, written: 4 },
    logLinesLost: 0,
  });
  expect(messages['Tread']).toMatchObject({
    requests: 1,
    errors: 0,
    bytesReceived: 23,
    bytesSent: 11 + CONTENT.length,
  });
  expect(messages['Twrite']).toMatchObject({ requests: 1, bytesReceived: 23 + 4, bytesSent: 11 });
  expect(messages['Twalk']).toMatchObject({ requests: 2, errors: 1 });
  for (const name of ['Tversion', 'Tattach', 'Tlopen', 'Tlock']) expect(messages[name]?.requests).toBe(1);
  for (const operation of Object.values(messages)) {
    const { requests, latency } = operation!;
    expect(latency.count).toBe(requests);
    expect(latency.p50 > 0).toBe(requests > 0);
  }
  expect(messages['Tclunk']?.requests).toBe(0);
  const { requests, trips } = server.helper;
  expect(trips).toBeGreaterThan(2);
  expect(requests).toBeGreaterThanOrEqual(trips);
}

describe.skipIf(skipped !== undefined)('the status of a 9P server', () => {
  it('counts messages, what the guest has, and what was asked of the helper', async () => {
    const { share, path, control } = await watched();
    const before = pairJson(control).server;
    expect(before).toMatchObject({ connected: false, client: null, dialect: null, msize: null, fids: 0 });
    const client = await attached(path);
    await work(client);
    const { server, ...helper } = pairJson(control);
    expectWork(server);
    expect(server).toMatchObject({
      socket: `${control}.9p`,
      pid: share.servers()[0],
      transport: 'unix',
      client: { pid: process.pid, uid: 0 },
      msize: 65_536,
      helper: { replacements: 0 },
    });
    // what one has asked the other was asked for
    const answered = Object.values(helper.operations).reduce((sum, one) => sum + one!.requests, 0);
    expect(answered).toBe(server.helper.requests);
    await client.request('Tclunk', { fid: 1 });
    expect(pairJson(control).server).toMatchObject({ fids: 1, openFiles: 0, descriptors: 0, locks: 0 });
    client.close();
  });

  it('counts the same over vhost-user', async () => {
    const directory = exportForTest();
    writeFileSync(join(directory, 'file'), CONTENT);
    const control = controlPathForTest();
    const [served, emulators] = socketpair();
    const options = [
      `--path=${directory}`,
      '--listen=vhost-user-fd:4',
      '--tag=share',
      `--control=${control}`,
    ];
    await new ShareProcess(options, { socket: served }).ready();
    const emulator = new Emulator(emulators);
    const memory = new Memory(REGIONS);
    const driver = new Driver(memory, RING, DATA);
    await emulator.agree();
    expect(await emulator.shareMemory(memory)).toBe(true);
    expect(await driver.setUp(emulator)).toBe(true);
    const call = async (...[name, fields]: [Parameters<typeof tmsg>[0], object]): Promise<string> => {
      driver.rewind(DATA);
      const frame = tmsg(name, name === 'Tversion' ? NOTAG : 1, fields as Record<string, unknown>);
      return decodeFrame('9P2000.L', await driver.request(frame, [4096])).name;
    };
    await call('Tversion', { msize: 524_288, version: '9P2000.L' });
    await call('Tattach', { fid: 0, afid: NOFID, uname: 'root', aname: '', n_uname: 0 });
    await call('Twalk', { fid: 0, newfid: 1, names: ['file'] });
    await call('Tlopen', { fid: 1, flags: 2 });
    expect(await call('Tread', { fid: 1, offset: 0n, count: 100 })).toBe('Rread');
    expect(await call('Twrite', { fid: 1, offset: 7n, data: Buffer.from('more') })).toBe('Rwrite');
    const lock = { fid: 1, type: 1, flags: 0, start: 0n, length: 0n, proc_id: 1, client_id: 'guest' };
    expect(await call('Tlock', lock)).toBe('Rlock');
    expect(await call('Twalk', { fid: 0, newfid: 2, names: ['missing'] })).toBe('Rlerror');
    const { server } = pairJson(control);
    expectWork(server);
    expect(server).toMatchObject({ transport: 'vhost-user', client: { pid: process.pid }, msize: 524_288 });
  });

  it('is one block with that of its helper, found with a socket and without', async () => {
    const { share, path, control, directory } = await watched();
    await work(await attached(path));
    const [helper, server] = [share.helpers()[0], share.servers()[0]];
    for (const args of [[control], []]) {
      const { stdout, stderr, status: exit } = status(args);
      if (args.length > 0) expect([exit, stderr]).toEqual([0, '']);
      const block = stdout.slice(stdout.indexOf(`${control}: pid ${helper} serves pid ${share.pid} `));
      expect(block).toContain(`export: ${directory}\n`);
      expect(block).toMatch(
        new RegExp(
          `^all .*\\n\\n${control}.9p: 9P server, pid ${server} serves pid ${process.pid} \\(uid 0\\) over unix, up 00:00:`,
          'm',
        ),
      );
      expect(block).toContain('dialect: 9P2000.L, messages of 65536 bytes\n');
      expect(block).toContain('open: 2 fids, 1 files, 1 descriptors, 1 locks\n');
      expect(block).toContain('of files 7 read, 4 written\n');
      expect(block).toMatch(/^helper: \d+ requests in \d+ trips, replaced 0 times$/m);
      expect(block).toMatch(/^message +requests +errors +p50 +p90 +p99 /m);
      expect(block).toMatch(/^Twalk +2 +1 +\d+ +\d+ +\d+$/m);
      expect(block).not.toMatch(/^Tclunk/m);
    }
    // the half alone, which is who is asked
    expect(status([`${control}.9p`]).stdout).toMatch(/^\S+control\.9p: 9P server, pid /);
  });

  it('is there without --control as a pid alone', async () => {
    const { share } = await sharedForTest();
    expect(status([]).stdout).toContain(`pid ${share.servers()[0]}, a 9P server: tells nothing of itself`);
  });

  it('goes on while another helper takes the place of one that died', async () => {
    const { share, path, control } = await watched();
    const client = await attached(path);
    await work(client);
    const [helper = 0] = share.helpers();
    process.kill(helper, 'SIGKILL');
    await share.said('another one serves');
    await client.request('Tgetattr', { fid: 1, mask: 0x7ffn });
    const { server, pid } = pairJson(control);
    expect(pid).not.toBe(helper);
    expect(server).toMatchObject({ helper: { replacements: 1 }, openFiles: 1, locks: 1 });
    expect(server.messages['Tgetattr']?.requests).toBe(1);
  });

  it('shows the server alone where no helper answers', async () => {
    const { share, path, control } = await watched('--helper-restarts=0', '--log-level=silent');
    await attached(path);
    const [helper = 0] = share.helpers();
    process.kill(helper, 'SIGSTOP');
    onTestFinished(() => {
      process.kill(helper, 'SIGCONT');
    });
    const shown = status([control]);
    expect([shown.status, shown.stderr]).toEqual([
      1,
      expect.stringContaining(`${control}: no answer for`) as unknown,
    ]);
    expect(shown.stdout).toMatch(/^\S+control\.9p: 9P server, pid /);
  });

  it('is a pair for each client of --keep-listening, at the path with its number', async () => {
    const { share, path, control } = await watched('--keep-listening');
    const clients = [await attached(path), await attached(path)];
    const { stdout, stderr } = status(['--json', control]);
    expect(stderr).toBe('');
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(
      [1, 2].map((number): unknown =>
        expect.objectContaining({
          socket: `${control}.${number}`,
          server: expect.objectContaining({ socket: `${control}.${number}.9p`, connected: true }) as unknown,
        }),
      ),
    );
    for (const client of clients) client.close();
    await expect.poll(() => share.servers().length + share.helpers().length, PATIENCE).toBe(0);
    await expect.poll(() => readdirSync(dirname(control)), PATIENCE).toEqual([]);
  });

  it('goes with the share, and is nobody else’s business than its owner’s', async () => {
    const { share, control } = await watched();
    const file = statSync(`${control}.9p`);
    expect([file.mode & 0o7777, file.uid]).toEqual([0o600, 0]);
    share.child.kill('SIGTERM');
    await share.end();
    expect(existsSync(`${control}.9p`)).toBe(false);
    expect(existsSync(control)).toBe(false);
  });

  it('is shown with the helper that was started apart from it', async () => {
    const here = place();
    const control = controlPathForTest();
    await helperAt(here, `--control=${control}`);
    writeFileSync(join(here.directory, 'file'), CONTENT);
    const server = await serverAt(here, [`--control=${control}`]).ready();
    await work(await attached(here.path));
    const pair = pairJson(control);
    expect(pair.server.pid).toBe(server.servers()[0]);
    expectWork(pair.server);
    server.child.kill('SIGTERM');
    await server.end();
    expect(existsSync(`${control}.9p`)).toBe(false);
  });

  it('takes the place that a killed share left, and no other', async () => {
    const { share, control, directory } = await watched();
    const pids = share.remember();
    share.child.kill('SIGKILL');
    await share.end();
    expect(pids.length).toBeGreaterThan(2);
    expect(existsSync(`${control}.9p`)).toBe(true);
    const path = socketPathForTest();
    const options = [`--path=${directory}`, `--listen=unix:${path}`, `--control=${control}`];
    const second = await new ShareProcess(options).ready();
    expect(pairJson(control).server.pid).toBe(second.servers()[0]);
    const other = controlPathForTest();
    writeFileSync(`${other}.9p`, 'precious');
    const third = new ShareProcess([
      ...options.slice(0, 1),
      `--listen=unix:${socketPathForTest()}`,
      `--control=${other}`,
    ]);
    const end = await third.end();
    expect([end.status, end.report]).toEqual([
      1,
      expect.stringContaining(`control socket ${other}.9p: something else is there`),
    ]);
    expect(statSync(`${other}.9p`).size).toBe(8);
  });

  it('refuses a path to which no name of a server can be added', async () => {
    const control = join('/tmp', 'x'.repeat(100));
    const end = await new ShareProcess([
      '--path=/etc',
      '--listen=unix:/nowhere/x',
      `--control=${control}`,
    ]).end();
    expect([end.status, end.report + end.stderr]).toEqual([2, expect.stringContaining('--control')]);
  });

  it('is logged on one line at SIGUSR1, which the share passes on', async () => {
    const { share, path } = await watched();
    await work(await attached(path));
    share.child.kill('SIGUSR1');
    await share.said('part=9p, uptime=');
    const lines = share.stderr.split('\n').filter((line) => line.includes('statistics'));
    expect(lines).toHaveLength(2);
    const line = lines.find((text) => text.includes('part=9p'));
    expect(line).toContain(`peer=${process.pid}, dialect=9P2000.L, requests=8, errors=1, `);
    expect(line).toContain('fids=2, openFiles=1, descriptors=1, locks=1, bytesRead=7, bytesWritten=4, ');
    expect(line).toMatch(/messages=\{.*"Twalk":\{"requests":2,"errors":1,"p50":\d+,/);
    process.kill(share.servers()[0]!, 'SIGUSR1');
    await expect.poll(() => share.stderr.match(/statistics \(part=9p/g)?.length, PATIENCE).toBe(2);
  });
});
