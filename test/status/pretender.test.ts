/** A process of anybody's that passes for a helper: what it says works neither on a terminal nor in metrics. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { controlPathForTest, status } from '../../harness/status-command.js';

const SERVER = `
import socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.bind(sys.argv[1])
server.listen(8)
print('ready', flush=True)
while True:
    client, _ = server.accept()
    client.send(sys.argv[2].encode())
    client.close()
`;

const latency = { count: 0, sum: 0, p50: 0, p90: 0, p99: 0, below: [0] };
const lstat = { requests: 0, errors: 0, bytesReceived: 0, bytesSent: 0, latency };
const honest = {
  ...{ pid: 1, export: '/srv', readOnly: false, uptime: 1, client: { pid: 1, uid: 1 }, logLinesLost: 0 },
  ...{ descriptors: { passed: 0, held: 0 }, operations: { lstat } },
};
const ESCAPE = '\u001b]0;owned\u0007';

async function shown(answer: object, ...args: string[]): Promise<ReturnType<typeof status>> {
  const path = controlPathForTest();
  const server = spawn('python3', ['-c', SERVER, path, JSON.stringify(answer)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    server.kill('SIGKILL');
  });
  await once(server.stdout, 'data');
  return status([...args, path]);
}

it('is shown when it says what a helper says', async () => {
  expect(await shown(honest)).toMatchObject({ status: 0, stderr: '' });
});

it.each([
  ['a pid', { ...honest, pid: ESCAPE }],
  ['an export', { ...honest, export: 5 }],
  ['a time', { ...honest, uptime: '1\nup{job="x"} 0' }],
  ['a client', { ...honest, client: { pid: ESCAPE, uid: 0 } }],
  ['the name of an operation', { ...honest, operations: { [ESCAPE]: lstat } }],
  ['a counter', { ...honest, operations: { lstat: { ...lstat, requests: ESCAPE } } }],
  ['nothing of a latency', { ...honest, operations: { lstat: { ...lstat, latency: undefined } } }],
])('is no helper with something else for %s', async (_what, answer) => {
  for (const format of [[], ['--json']]) {
    const { status: exit, stdout, stderr } = await shown(answer, ...format);
    expect([exit, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^virtfs-proxy-helper: .*: what answers there is no helper\n$/);
  }
  const { stdout } = await shown(answer, '--openmetrics');
  expect(stdout.match(/^[^#\n].*$/gm)).toEqual([
    expect.stringMatching(/^virtfs_proxy_helper_up\{[^}]*\} 0$/),
  ]);
});

it('has a terminal obey nothing, nor show it in another order', async () => {
  const CONTROLS = '\u001b]0;x\u0007\n\u009b31m\u202e\u{e0041}';
  const answer = { ...honest, export: `/srv/${CONTROLS}` };
  const { stdout } = await shown(answer, '--json');
  expect(stdout.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(JSON.parse(stdout)).toMatchObject({ export: answer.export });
  expect((await shown(answer)).stdout).toContain('export: /srv/?]0;x???31m??\n');
  expect(status([`/nowhere/${CONTROLS}`]).stderr).toMatch(
    /: \/nowhere\/\?\]0;x\?\?\?31m\?\?: [^\p{Cc}\p{Cf}]*\n$/u,
  );
});
