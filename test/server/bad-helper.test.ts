/** `server` beside what is no good helper: its clients and its end do not depend on it. */
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { pythonForTest } from '../../harness/python-program.js';
import { PATIENCE, place, type Place, serverAt } from './halves.js';

/** What accepts connections and never answers. @returns the connections as they come */
function muteHelperAt({ helperSocket }: Place): { next: () => Promise<Socket> } {
  const come: Socket[] = [];
  const listener = createServer((socket) => {
    come.push(socket.on('error', () => undefined).resume());
  }).listen(helperSocket);
  onTestFinished(() => {
    listener.close();
    for (const socket of come) socket.destroy();
  });
  let taken = 0;
  return {
    next: async () => {
      await vi.waitUntil(() => come.length > taken, PATIENCE);
      return come[taken++]!;
    },
  };
}

/**
 * Answers each request with the header of a reply and two descriptors, one after the other: each the last one of a TCP
 * socket that has to send what nobody reads, and is to linger for much longer than a test waits.
 */
const sendLingering = `
listener = socket.socket(socket.AF_UNIX); listener.bind(sys.argv[1]); listener.listen(10)
server = socket.socket(); server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
server.bind(("127.0.0.1", 0)); server.listen(100)
print("listening", flush=True)
kept = []
while True:
    asker, _ = listener.accept(); kept.append(asker)
    if not asker.recv(100): continue
    for part in (struct.pack("ii", 8, 200), b"x"):
        client = socket.socket(); client.connect(server.getsockname()); client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
        try:
            while True: client.send(bytes(65536))
        except BlockingIOError: pass
        try: asker.sendmsg([part], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", client.fileno()))])
        except BrokenPipeError: pass
        client.close()`;

/** Accepts nobody until the queue of its listener has been full for a second, and never answers. */
const crowded = `
listener = socket.socket(socket.AF_UNIX); listener.bind(sys.argv[1]); listener.listen(2)
crowd = []
try:
    while True:
        one = socket.socket(socket.AF_UNIX); one.setblocking(False); crowd.append(one); one.connect(sys.argv[1])
except BlockingIOError: pass
print("full", flush=True)
time.sleep(1)
kept = []
while True: kept.append(listener.accept())`;

describe('the command server beside a helper that sends descriptors that linger', () => {
  it.each([[[]], [['--keep-listening']]])('waits for none of them: %j', async (options) => {
    const here = place();
    await pythonForTest([], sendLingering, here.helperSocket);
    const server = serverAt(here, options);
    if (options.length === 0) {
      const { status, code } = await server.end();
      expect({ status, code }).toEqual({ status: 1, code: 'helper-not-reached' });
      return;
    }
    await server.ready();
    connect(here.path).on('error', () => undefined);
    await server.said('cannot serve a client');
    server.child.kill('SIGTERM');
    expect(await server.end()).toMatchObject({ status: 0, signal: null });
  });
});

it('the command server waits a while where too many wait for a helper', async () => {
  const here = place();
  await pythonForTest([], crowded, here.helperSocket);
  const server = await serverAt(here, ['--keep-listening']).ready();
  server.child.kill('SIGTERM');
  expect(await server.end()).toMatchObject({ status: 0 });
});

describe('the command server beside a helper that does not answer', () => {
  it('ends at once by a signal while a helper does not answer', async () => {
    const here = place();
    const asked = muteHelperAt(here);
    const server = serverAt(here);
    await asked.next();
    server.child.kill('SIGTERM');
    expect(await server.end()).toMatchObject({ status: 0, signal: null });
  });

  it('tells that a helper does not answer in time', async () => {
    const here = place();
    muteHelperAt(here);
    const { status, code, report } = await serverAt(here).end();
    expect({ status, code }).toEqual({ status: 1, code: 'helper-not-reached' });
    expect(report).toContain('it does not answer: connection timed out (ETIMEDOUT)');
  });

  it('keeps no place for guests that have left while a helper did not answer, and ends by a signal', async () => {
    const here = place();
    const asked = muteHelperAt(here);
    const server = await serverAt(here, ['--keep-listening']).ready();
    // connected to once to see that somebody listens
    await asked.next();
    const left = connect(here.path);
    const toLeft = await asked.next();
    const given = new Promise((resolve) => toLeft.on('close', resolve));
    left.destroy();
    await given;
    const stays = connect(here.path).on('error', () => undefined);
    const closed = new Promise((resolve) => stays.on('close', resolve));
    await asked.next();
    server.child.kill('SIGTERM');
    expect(await server.end()).toMatchObject({ status: 0, signal: null });
    await closed;
    expect(server.stderr).toContain('ending the sessions of all clients (clients=1)');
    expect(server.stderr).not.toContain('cannot serve');
  });
});
