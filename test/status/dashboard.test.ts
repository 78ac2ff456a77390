/** The metrics of both halves of a pair, and the dashboard that shows them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import { attached, sharedForTest } from '../../harness/share-process.js';
import { controlPathForTest, pairJson, status } from '../../harness/status-command.js';
import { parse, value, whyNoParser } from './exposition.js';

const skipped = whyNotRoot() ?? whyNoParser();
if (skipped !== undefined) console.warn(`the metrics of a pair are not tested: ${skipped}`);

const SERVER = 'virtfs_9p_server_';

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly targets: readonly { readonly expr: string }[];
  }[];
}

const dashboard = JSON.parse(
  readFileSync(new URL('../../examples/grafana/virtfs-proxy-helper.json', import.meta.url), 'utf8'),
) as Dashboard;

/** What a pair that has worked shows. */
async function page(): Promise<{ text: string; control: string }> {
  const control = controlPathForTest();
  const { path, directory } = await sharedForTest(`--control=${control}`);
  writeFileSync(join(directory, 'file'), 'content');
  const client = await attached(path);
  await client.request('Twalk', { fid: 0, newfid: 1, names: ['file'] });
  await client.request('Tlopen', { fid: 1, flags: 0 });
  await client.request('Tread', { fid: 1, offset: 0n, count: 100 });
  await client.outcome('Twalk', { fid: 0, newfid: 2, names: ['missing'] });
  const { status: exit, stdout, stderr } = status(['--openmetrics', control]);
  expect([exit, stderr]).toEqual([0, '']);
  return { text: stdout, control };
}

describe.skipIf(skipped !== undefined)('the metrics of a pair', () => {
  it('are those of both halves under one name', async () => {
    const { text, control } = await page();
    const families = parse(text, 'openmetrics.parser');
    const servers = families.filter(({ name }) => name.startsWith(SERVER));
    expect(servers.map(({ name, type, unit }) => [name.slice(SERVER.length), type, unit])).toEqual([
      ['up', 'gauge', ''],
      ['uptime_seconds', 'gauge', 'seconds'],
      ['client_connected', 'gauge', ''],
      ['messages', 'counter', ''],
      ['errors', 'counter', ''],
      ['received_bytes', 'counter', 'bytes'],
      ['sent_bytes', 'counter', 'bytes'],
      ['message_duration_seconds', 'histogram', 'seconds'],
      ['msize_bytes', 'gauge', 'bytes'],
      ['fids', 'gauge', ''],
      ['open_files', 'gauge', ''],
      ['descriptors', 'gauge', ''],
      ['locks', 'gauge', ''],
      ['file_read_bytes', 'counter', 'bytes'],
      ['file_written_bytes', 'counter', 'bytes'],
      ['helper_requests', 'counter', ''],
      ['helper_trips', 'counter', ''],
      ['helper_replacements', 'counter', ''],
      ['log_lines_lost', 'counter', ''],
    ]);
    expect(servers.every(({ documentation }) => documentation.endsWith('.'))).toBe(true);
    const socket = { socket: control };
    expect(value(families, 'virtfs_proxy_helper_up', socket)).toBe(1);
    expect(value(families, `${SERVER}up`, { ...socket, transport: 'unix' })).toBe(1);
    expect(value(families, `${SERVER}messages_total`, { ...socket, message: 'Twalk' })).toBe(2);
    expect(value(families, `${SERVER}errors_total`, { ...socket, message: 'Twalk' })).toBe(1);
    expect(value(families, `${SERVER}file_read_bytes_total`, socket)).toBe(7);
    expect(value(families, `${SERVER}open_files`, socket)).toBe(1);
    expect(value(families, `${SERVER}msize_bytes`, socket)).toBe(65_536);
    const bucket = { ...socket, message: 'Twalk', le: '+Inf' };
    expect(value(families, `${SERVER}message_duration_seconds_bucket`, bucket)).toBe(2);
    const { helper } = pairJson(control).server;
    expect(value(families, `${SERVER}helper_trips_total`, socket)).toBe(helper.trips);
    expect(parse(text, 'parser').length).toBeGreaterThan(servers.length);
  });

  it('has every metric that the dashboard shows', async () => {
    const { text } = await page();
    const names = new Set(text.match(/^[a-z0-9_]+(?=\{)/gm));
    const shown = dashboard.panels.flatMap(({ targets }) =>
      targets.flatMap(({ expr }) => expr.match(/virtfs_[a-z0-9_]+/g) ?? []),
    );
    expect(shown.length).toBeGreaterThan(dashboard.panels.length);
    expect(shown.filter((name) => !names.has(name))).toEqual([]);
  });

  it('are 0 for a server that has ended, as for a helper', async () => {
    const control = controlPathForTest();
    const { share } = await sharedForTest(`--control=${control}`);
    share.child.kill('SIGKILL');
    await share.end();
    const families = parse(status(['--openmetrics', control]).stdout, 'openmetrics.parser');
    expect(value(families, `${SERVER}up`, { socket: control })).toBe(0);
    expect(value(families, `${SERVER}fids`, { socket: control })).toBeUndefined();
  });
});
