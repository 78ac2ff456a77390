/** The metrics, read as Prometheus reads them: by its own parsers for Python, of both text formats. */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openMetrics } from '../../src/observability/openmetrics.js';
import { sessionForTest, whyNotRoot } from '../../harness/helper-process.js';
import { requests } from '../../harness/requests.js';
import { controlPathForTest, status, statusJson } from '../../harness/status-command.js';
import { exportForTest } from '../../harness/tree.js';
import { parse, value, whyNoParser } from './exposition.js';

const PREFIX = 'virtfs_proxy_helper_';

const skipped = whyNotRoot() ?? whyNoParser();
if (skipped !== undefined) console.warn(`metrics are not tested: ${skipped}`);

describe.skipIf(skipped !== undefined)('the metrics', () => {
  it('are the numbers of all helpers that are asked, also of one that has ended', async () => {
    const controls = ['one', 'two', 'gone'].map((name) => controlPathForTest(name));
    const [one = '', two = '', gone = ''] = controls;
    const sessions = controls.map((control) => {
      const session = sessionForTest(exportForTest(), { args: ['--control', control] });
      expect(session.client.request(requests.lstat('/')).errno).toBe(0);
      return session;
    });
    sessions[1]!.client.request(requests.lstat('/missing'));
    sessions[2]!.client.close();
    await sessions[2]!.helper.exit();

    const { status: exit, stdout, stderr } = status(['--openmetrics', ...controls, '/run/nothing-*/control']);
    expect([exit, stderr]).toEqual([
      0,
      `virtfs-proxy-helper: ${gone}: the helper has ended; its socket is left\n`,
    ]);
    const families = parse(stdout, 'openmetrics.parser');
    expect(families.map(({ name, type, unit }) => [name.replace(PREFIX, ''), type, unit])).toEqual([
      ['up', 'gauge', ''],
      ['uptime_seconds', 'gauge', 'seconds'],
      ['client_connected', 'gauge', ''],
      ['requests', 'counter', ''],
      ['errors', 'counter', ''],
      ['received_bytes', 'counter', 'bytes'],
      ['sent_bytes', 'counter', 'bytes'],
      ['descriptors_passed', 'counter', ''],
      ['descriptors_held', 'gauge', ''],
      ['log_lines_lost', 'counter', ''],
      ['request_duration_seconds', 'histogram', 'seconds'],
    ]);
    expect(families.every(({ documentation }) => documentation.endsWith('.'))).toBe(true);
    expect(controls.map((socket) => value(families, `${PREFIX}up`, { socket }))).toEqual([1, 1, 0]);
    expect(value(families, `${PREFIX}client_connected`, { socket: one })).toBe(1);
    const lstat = { operation: 'lstat' };
    expect(value(families, `${PREFIX}requests_total`, { socket: one, ...lstat })).toBe(1);
    expect(value(families, `${PREFIX}requests_total`, { socket: two, ...lstat })).toBe(2);
    expect(value(families, `${PREFIX}errors_total`, { socket: two, ...lstat })).toBe(1);
    expect(value(families, `${PREFIX}requests_total`, { socket: two, operation: 'rename' })).toBe(0);
    expect(value(families, `${PREFIX}requests_total`, { socket: gone })).toBeUndefined();

    const counters = statusJson(two).operations['lstat']!;
    expect(value(families, `${PREFIX}sent_bytes_total`, { socket: two, ...lstat })).toBe(counters.bytesSent);
    const duration = 'request_duration_seconds';
    expect(value(families, `${PREFIX}${duration}_count`, { socket: two, ...lstat })).toBe(2);
    expect(value(families, `${PREFIX}${duration}_bucket`, { socket: two, ...lstat, le: '+Inf' })).toBe(2);
    expect(value(families, `${PREFIX}${duration}_sum`, { socket: two, ...lstat })).toBeCloseTo(
      counters.latency.sum / 1e6,
      6,
    );
  });

  it('are well formed for the collector that reads them from files, too', () => {
    const control = controlPathForTest();
    const session = sessionForTest(exportForTest(), { args: ['--control', control] });
    expect(session.client.request(requests.lstat('/')).errno).toBe(0);
    const families = parse(status(['--openmetrics', control]).stdout, 'parser');
    expect(value(families, `${PREFIX}requests_total`, { operation: 'lstat' })).toBe(1);
    expect(families.find(({ name }) => name === `${PREFIX}request_duration_seconds`)?.type).toBe('histogram');
  });

  it('of no helper are an empty exposition', () => {
    const { status: exit, stdout, stderr } = status(['--openmetrics']);
    expect([exit, stderr]).toEqual([0, '']);
    expect(stdout.endsWith('\n# EOF\n')).toBe(true);
    expect(parse(stdout, 'openmetrics.parser').flatMap(({ samples }) => samples)).toEqual([]);
  });

  it('carry any path as it is', () => {
    const awkward = 'a"b\\c\nd e=,}é\u{1f600}\\n';
    const control = controlPathForTest('c"\\,} é');
    const directory = join(exportForTest(), awkward);
    mkdirSync(directory);
    const session = sessionForTest(directory, { args: ['--control', control] });
    expect(session.client.request(requests.lstat('/')).errno).toBe(0);
    const families = parse(status(['--openmetrics', control]).stdout, 'openmetrics.parser');
    expect(value(families, `${PREFIX}up`, { socket: control, export: directory })).toBe(1);
    // a terminal is not told to obey it
    expect(status([control]).stdout).toContain(`export: ${dirname(directory)}/a"b\\c?d e=,}é`);
  });

  it('carry every character that a path may have', () => {
    const socket = Array.from({ length: 0x250 }, (_, code) => String.fromCharCode(code + 1)).join('');
    const families = parse(openMetrics([{ socket, status: undefined }]), 'openmetrics.parser');
    expect(families[0]?.samples).toEqual([{ name: `${PREFIX}up`, labels: { socket }, value: 0 }]);
  });
});
