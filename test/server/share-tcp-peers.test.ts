/** `share --keep-listening` over TCP: one who takes all places that one may have takes nothing from those of other addresses. */
import { execFileSync } from 'node:child_process';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { networkOf } from '../../src/server/transports/address.js';
import { ipAddress } from '../../src/syscalls/network-sockets.js';
import { hasHungUp } from '../../src/syscalls/sockets.js';
import { whyNotRoot } from '../../harness/helper-process.js';
import { patience } from '../../harness/patience.js';
import { exportForTest } from '../../harness/tree.js';
import { ShareProcess } from '../../harness/share-process.js';
import { ASK_VERSION } from './sockets.js';

const skipped = whyNotRoot();
const suffix = skipped === undefined ? '' : ` (${skipped})`;
const PORT = 564;

/** A network of its own, where clients come from several addresses. */
const inNetwork = [
  ...['unshare', '--net', 'sh', '-c'],
  `ip link set lo up; for address in 192.0.2.1/24 192.0.2.2/24 2001:db8::1/64 2001:db8::2/64 2001:db8:0:1::1/64; do
    ip address add $address dev lo $(case $address in *::*) echo nodad;; esac)
  done
  exec "$@"`,
  'sh',
];

/** Connects from an address so many times, and tells what the last one is answered: the type, or that it is refused. */
const connecting = `
import socket, sys
${ASK_VERSION}
source, target, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ':' in source else socket.AF_INET
clients = []
for _ in range(times):
    client = socket.socket(family, socket.SOCK_STREAM)
    client.bind((source, 0))
    client.connect((target, ${PORT}))
    clients.append(client)
ask(client)
`;

describe.skipIf(skipped !== undefined)(`share --keep-listening over TCP${suffix}`, () => {
  it.each([
    ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2'],
    ['[2001:db8::1]', '2001:db8::2', '2001:db8::/64', '2001:db8:0:1::1'],
  ])(
    'refuses one who takes too many places of %s, and serves others',
    async (listen, often, network, other) => {
      const args = [`--path=${exportForTest()}`, `--listen=tcp:${listen}:${PORT}`, '--allow-network'];
      const share = new ShareProcess([...args, '--keep-listening'], { wrapper: inNetwork });
      await share.ready();
      const target = listen.replace(/[[\]]/g, '');
      const answer = (source: string, times: number): string =>
        execFileSync(
          'nsenter',
          [`--net=/proc/${share.pid}/ns/net`, 'python3', '-c', connecting, source, target, String(times)],
          { encoding: 'utf8' },
        ).trim();
      expect(answer(often, 65)).toBe('refused');
      await share.said('refused a client: there are too many');
      expect(share.stderr).toMatch(/refused a client: there are too many \(network=[0-9a-f.:/]+\)/);
      expect(share.stderr.replaceAll('2001:db8:0:0::/64', '2001:db8::/64')).toContain(`network=${network}`);
      expect(answer(other, 1)).toBe('101');
    },
    60_000 * patience,
  );
});

describe('where a client of TCP comes from', () => {
  it.each([
    ['127.0.0.1', undefined],
    ['::1', undefined],
    ['::ffff:127.1.2.3', undefined],
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['::2', '0:0:0:0::/64'],
  ])('%s', (text, network) => {
    expect(networkOf(ipAddress(text)!)).toBe(network);
  });
});

it.each([
  ['has closed', (client: Socket) => client.destroy()],
  ['sends nothing any more', (client: Socket) => client.end()],
])('a TCP client that %s gives up its place in the queue', async (_what, leave) => {
  let came: (socket: Socket) => void = () => undefined;
  const come = new Promise<Socket>((resolve) => (came = resolve));
  const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, came);
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const client = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  const socket = await come;
  onTestFinished(() => {
    for (const one of [client, socket]) one.destroy();
    listener.close();
  });
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  expect(hasHungUp(fd)).toBe(false);
  leave(client);
  await vi.waitUntil(() => hasHungUp(fd), 5_000 * patience);
});
