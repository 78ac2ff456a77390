/** What those who connect can do to others who want to: to a listener's next client, and to a helper's first. */
import { chmodSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { connectAs } from '../../harness/connect-as.js';
import { type HelperProcess, helperForTest } from '../../harness/helper-process.js';
import { patience } from '../../harness/patience.js';
import { pythonForTest } from '../../harness/python-program.js';
import { exportForTest } from '../../harness/tree.js';
import { skipUnlessRoot } from '../../harness/root-only.js';

const skip = skipUnlessRoot('strangers');
const ALLOWED = 1000;
const ALSO_ALLOWED = 1002;
const STRANGER = 1001;

const as = (uid: number): string[] => ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];

/**
 * Sends the last descriptor of a TCP socket that still has to send something which nobody reads, and which is to linger
 * for a minute when it is closed.
 */
const sendLingering = `
server = socket.socket(); server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
server.bind(("127.0.0.1", 0)); server.listen(100)
kept = []
for i in range(int(sys.argv[2])):
    client = socket.socket(); client.connect(server.getsockname()); client.setblocking(False)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
    try:
        while True: client.send(bytes(65536))
    except BlockingIOError: pass
    stranger = socket.socket(socket.AF_UNIX); stranger.connect(sys.argv[1])
    first = bytes.fromhex(sys.argv[3])
    stranger.sendall(first.ljust(100000 if first else 0, b"\\0"))
    stranger.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", client.fileno()))])
    client.close(); kept.append(stranger)`;

const abortConnections = `
for i in range(40):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.close()`;

const keepConnections = `
kept = [socket.socket(socket.AF_UNIX) for i in range(80)]
for s in kept: s.connect(sys.argv[1])`;

interface Helper {
  readonly helper: HelperProcess;
  readonly path: string;
}

/** A helper for two users on a socket to which everybody can connect. */
async function helperFor(...args: string[]): Promise<Helper> {
  const path = join(exportForTest(), 'socket');
  const users = ['-u', String(ALLOWED), '--allow-uid', String(ALSO_ALLOWED)];
  const report = join(exportForTest(), 'report');
  const common = ['-n', '-p', exportForTest(), '-s', path, '--ready-fd', '3'];
  const helper = helperForTest([...common, ...users, ...args], { inherit: [openSync(report, 'w')] });
  // stopped before it is ready, it would miss what it waits for itself
  await vi.waitFor(() => {
    expect(readFileSync(report, 'utf8'), helper.stderr()).toBe('ready\n');
  }, 15_000 * patience);
  chmodSync(path, 0o777);
  return { helper, path };
}

/** Has clients send that before the helper can look at any of them. @param first what each sends before, as hex, with zeros behind it */
async function lingeringClients(
  uid: number,
  { helper, path }: Helper,
  count: number,
  first = '',
): Promise<void> {
  helper.child.kill('SIGSTOP');
  await pythonForTest(as(uid), sendLingering, path, String(count), first);
  helper.child.kill('SIGCONT');
}

describe.skipIf(skip)('a client that has sent descriptors that linger', () => {
  it.each([
    ['a listener', ['--keep-listening']],
    ['a helper that waits for its QEMU', []],
  ])(
    'and is sent away does not keep %s from the next one',
    async (_what, args) => {
      const started = await helperFor(...args);
      // the backlog of a helper for one client takes two
      await lingeringClients(STRANGER, started, 2);
      expect(connectAs(ALLOWED, started.path), started.helper.stderr()).toBe('served');
      expect(started.helper.stderr()).toContain(`uid=${STRANGER}`);
    },
    60_000,
  );

  it('and breaks the protocol does not keep its helper from its end', async () => {
    const started = await helperFor();
    // a request that there is not, and more than is received at once
    await lingeringClients(ALLOWED, started, 1, '63000000');
    expect((await started.helper.exit(20_000)).status).toBe(3);
  }, 60_000);
});

describe.skipIf(skip)('one user of a listener', () => {
  it.each([
    ['that connects and goes away at once, 40 times', abortConnections],
    ['that connects 80 times and stays', keepConnections],
  ])(
    '%s, does not keep another one waiting',
    async (_what, program) => {
      const { helper, path } = await helperFor('--keep-listening');
      await pythonForTest(as(ALLOWED), program, path);
      expect(connectAs(ALSO_ALLOWED, path), helper.stderr()).toBe('served');
    },
    60_000,
  );

  it('who has gone before there is a process for him gets none', async () => {
    const { helper, path } = await helperFor('--keep-listening');
    helper.child.kill('SIGSTOP');
    await pythonForTest(as(ALLOWED), abortConnections, path);
    helper.child.kill('SIGCONT');
    expect(connectAs(ALSO_ALLOWED, path)).toBe('served');
    expect(helper.stderr()).toContain('client=1,');
    expect(helper.stderr()).not.toContain('client=2');
  }, 60_000);
});
