/** A process of anybody's that passes for a helper: what it says works neither on a terminal nor in metrics. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { pythonForTest } from '../../harness/python-program.js';
import { controlPathForTest, status } from '../../harness/status-command.js';

/** Answers with a message, and with `linger` passes descriptors that are to linger for hours when they are closed. */
const SERVER = `
import socket, struct, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.bind(sys.argv[1])
server.listen(8)
sink = socket.socket()
sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
sink.bind(("127.0.0.1", 0))
sink.listen(100)
def lingering():
    sender = socket.socket()
    sender.connect(sink.getsockname())
    sender.setblocking(False)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 30000))
    try:
        while True: sender.send(bytes(65536))
    except BlockingIOError:
        return sender
print('ready', flush=True)
while True:
    client, _ = server.accept()
    if sys.argv[3] == "linger":
        # one with the answer, and one that is never received
        senders = lingering(), lingering()
        try:
            for message, sender in zip((sys.argv[2].encode(), b"x"), senders):
                client.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", sender.fileno()))])
        except BrokenPipeError: pass
        for sender in senders: sender.close()
    else:
        client.send(sys.argv[2].encode())
    client.close()
`;

/** Binds sockets that nobody accepts at. */
const LISTENER = `
kept = []
for number in range(int(sys.argv[2])):
    kept.append(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    kept[-1].bind(f"{sys.argv[1]}{number}")
    kept[-1].listen(8)`;

const latency = { count: 0, sum: 0, p50: 0, p90: 0, p99: 0, below: Array<number>(10).fill(0) };
const lstat = { requests: 0, errors: 0, bytesReceived: 0, bytesSent: 0, latency };
const honest = {
  ...{ pid: 1, export: '/srv', readOnly: false, uptime: 1, client: { pid: 1, uid: 1 }, logLinesLost: 0 },
  ...{ descriptors: { passed: 0, held: 0 }, operations: { lstat } },
};
const ESCAPE = '\u001b]0;owned\u0007';

interface Pretender {
  readonly path: string;
  readonly pid: number;
}

async function pretender(answer: object, way: 'plain' | 'linger' = 'plain'): Promise<Pretender> {
  const path = controlPathForTest();
  const server = spawn('python3', ['-c', SERVER, path, JSON.stringify(answer), way], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    server.kill('SIGKILL');
  });
  await once(server.stdout, 'data');
  return { path, pid: server.pid ?? 0 };
}

async function shown(answer: object, ...args: string[]): Promise<ReturnType<typeof status>> {
  return status([...args, (await pretender(answer)).path]);
}

it('is shown when it says what a helper says', async () => {
  expect(await shown(honest)).toMatchObject({ status: 0, stderr: '' });
});

it.each([
  ['a pid', { ...honest, pid: ESCAPE }],
  ['an export', { ...honest, export: 5 }],
  ['a time', { ...honest, uptime: '1\nup{job="x"} 0' }],
  ['a client', { ...honest, client: { pid: ESCAPE, uid: 0 } }],
  ['the buckets', { ...honest, operations: { lstat: { ...lstat, latency: { ...latency, below: [0] } } } }],
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

it('is shown with what a helper says and nothing else, under its own pid', async () => {
  const more = { socket: '/run/other', server: { pid: 1 }, more: ESCAPE };
  const { path, pid } = await pretender({
    ...honest,
    ...more,
    operations: { lstat: { ...lstat, more: ESCAPE }, invented: lstat, toString: lstat, [ESCAPE]: lstat },
  });
  const { stdout, stderr } = status(['--json', path]);
  expect([JSON.parse(stdout), stderr]).toEqual([{ ...honest, socket: path, pid }, '']);
  const metrics = status(['--openmetrics', path]).stdout;
  expect(new Set(metrics.match(/operation="[^"]*"/g))).toEqual(new Set(['operation="lstat"']));
});

it('does not keep anybody waiting with what it passes', async () => {
  const { path } = await pretender(honest, 'linger');
  expect(status([path])).toMatchObject({ status: 0, stderr: '' });
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

it('keeps status from its end only for a while, however many there are', async () => {
  const path = controlPathForTest();
  await pythonForTest([], LISTENER, path, '400');
  const paths = Array.from({ length: 400 }, (_, number) => `${path}${number}`);
  // more than a few are asked at the same time
  const few = status(paths.slice(0, 20));
  expect([few.status, few.stderr.match(/no answer for 3 seconds/g)?.length]).toEqual([1, 20]);
  const all = status(paths);
  expect([all.status, all.stderr.match(/\n/g)?.length]).toEqual([1, 400]);
  expect(all.stderr).toContain(`${path}399: was not asked, as others had not answered after 15 seconds\n`);
}, 90_000);
