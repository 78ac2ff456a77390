/**
 * Draws the panels of the dashboard in examples/grafana from what a share tells while a guest works with it, scraped every
 * second, as Grafana would draw them: the queries are evaluated here, in the few forms that the dashboard has.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { repositoryRoot } from '../harness/guest/repository.js';
import { NinepClient } from '../harness/ninep-client.js';
import { type Page, panelDrawing } from './report/panels.js';

const SECONDS = 40;
const STEP_MS = 1000;
const main = join(repositoryRoot, 'dist/main.js');
const dashboard = join(repositoryRoot, 'examples/grafana/virtfs-proxy-helper.json');
const picture = join(repositoryRoot, 'docs/benchmarks/dashboard.svg');

function scrape(control: string): Page {
  const { stdout } = spawnSync(process.execPath, [main, 'status', '--openmetrics', control], {
    encoding: 'utf8',
    maxBuffer: 1 << 24,
  });
  return new Map(
    [...stdout.matchAll(/^(\w+\{.*\}) (\S+)$/gm)].map(([, name = '', value]) => [name, Number(value)]),
  );
}

/** Makes, writes, reads, lists and removes files, more of it as time passes, and looks for some that are not there. */
async function work(path: string, until: number): Promise<void> {
  const client = await NinepClient.connect({ path });
  await client.version('9P2000.L', 524_288);
  await client.attach(0);
  const data = Buffer.alloc(65_536, 'x');
  for (let turn = 0; performance.now() < until; turn++) {
    const fid = 10 + (turn % 20);
    await client.request('Twalk', { fid: 0, newfid: fid, names: [] });
    await client.request('Tlcreate', { fid, name: `file${turn % 20}`, flags: 2, mode: 0o644, gid: 0 });
    const size = turn % 3 === 0 ? 4096 : 65_536;
    await client.request('Twrite', { fid, offset: 0n, data: data.subarray(0, size) });
    for (let part = 0; part < 4; part++) await client.request('Tread', { fid, offset: 0n, count: size });
    await client.request('Tgetattr', { fid, mask: 0x7ffn });
    await client.outcome('Twalk', { fid: 0, newfid: 5, names: ['missing'] });
    if (turn >= 19) await client.request('Tclunk', { fid: 10 + ((turn + 1) % 20) });
    await pause(1 + 20 * Math.abs(Math.sin(turn / 200)));
  }
  client.close();
}

const directory = mkdtempSync(join(tmpdir(), 'dashboard-'));
mkdirSync(join(directory, 'export'));
const socket = join(directory, 'socket');
const control = join(directory, 'control');
const options = [`--path=${join(directory, 'export')}`, `--listen=unix:${socket}`, `--control=${control}`];
const share = spawn(process.execPath, [main, 'share', ...options], { stdio: 'inherit' });
while (!existsSync(`${control}.9p`)) await pause(50);
const working = work(socket, performance.now() + SECONDS * STEP_MS);
const pages: Page[] = [];
for (let second = 0; second < SECONDS; second++) {
  const next = performance.now() + STEP_MS;
  pages.push(scrape(control));
  await pause(Math.max(0, next - performance.now()));
}
await working;
share.kill('SIGTERM');
rmSync(directory, { recursive: true, force: true });
writeFileSync(picture, panelDrawing(JSON.parse(readFileSync(dashboard, 'utf8')) as never, pages));
