/** One exported directory with what serves it, and the words with which QEMU and the guest are told of it. */
import { once } from 'node:events';
import fs from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { Helper, type HelperEndpoint } from './helper.js';
import { connectedPair } from './socketpair.js';

export interface ShareOptions {
  /** What the guest mounts; also names the directory. */
  readonly tag: string;
  /**
   * How QEMU's proxy driver reaches the helper: `socket=` (the default) or `sock_fd=`. Or how the guest reaches a 9P
   * server: `guestfwd=` of its user network, which is a unix socket of the host's, a TCP port of the host's, or a device
   * of its own (QEMU 10.2 and later, with `memory` shared).
   */
  readonly by?: 'socket' | 'sock_fd' | 'guestfwd' | 'tcp' | 'vhost-user';
  /** `-fsdev` with a device (the default), or `-virtfs`, which is both in one. */
  readonly option?: '-fsdev' | '-virtfs';
  /** More of QEMU's words, such as `readonly=on`. */
  readonly words?: readonly string[];
  /** The exported directory, if not a new one. */
  readonly directory?: string;
  /** More of the helper's words, such as `--readonly`. */
  readonly helperOptions?: readonly string[];
}

/** A share whose helper the test has started itself, and looks after. */
export interface ForeignShare {
  readonly tag: string;
  /** Where the helper listens. */
  readonly socket: string;
}

export interface ShareSetup {
  readonly share: Share;
  /** What QEMU must inherit under the number it was promised. */
  readonly inherited?: number;
}

/** Where a share is made. */
interface Place {
  readonly directory: string;
  readonly run: string;
  readonly uid: number;
  readonly gid: number;
  /** How many shares the machine has already. */
  readonly number: number;
  /** The number under which QEMU will find what it inherits for this share. */
  readonly nextDescriptor: number;
}

/** Where 9P is served, by custom. */
const PORT = 564;
/** The host's loopback device, as a user network shows it to the guest. */
const HOST = '10.0.2.2';
/** The guest reaches the host, and what is beyond. */
const OPEN = 'restrict=off';

/** How QEMU and the guest come to a share. */
export interface Way {
  readonly qemuArguments: readonly string[];
  /** What the guest mounts, and the options that say how it gets there. */
  readonly source: string;
  readonly transport: string;
  /** A word for QEMU's user network, where the share takes one. */
  readonly network?: string;
}

export class Share {
  readonly tag: string;
  readonly directory: string;
  readonly helper: Helper;
  readonly way: Way;

  private constructor(tag: string, directory: string, helper: Helper, way: Way) {
    this.tag = tag;
    this.directory = directory;
    this.helper = helper;
    this.way = way;
  }

  get qemuArguments(): readonly string[] {
    return this.way.qemuArguments;
  }

  static async open(options: ShareOptions, place: Place): Promise<ShareSetup> {
    const { tag, by = 'socket' } = options;
    const directory = options.directory ?? path.join(place.directory, tag);
    fs.mkdirSync(directory, { recursive: true, mode: 0o755 });
    const log = path.join(place.directory, `${tag}.helper`);
    const serve = (endpoint: HelperEndpoint): Promise<Helper> =>
      Helper.start(directory, endpoint, log, options.helperOptions);
    const { uid, gid } = place;
    const socket = path.join(place.run, `${tag}.sock`);

    if (by === 'guestfwd') {
      const helper = await serve({ listen: `unix:${socket}`, uid, gid });
      return { share: new Share(tag, directory, helper, forwarded(tag, socket, place.number)) };
    }
    if (by === 'tcp') {
      const port = await freePort();
      const helper = await serve({ listen: `tcp:127.0.0.1:${port}`, uid, gid });
      const way = { qemuArguments: [], source: HOST, transport: `trans=tcp,port=${port}`, network: OPEN };
      return { share: new Share(tag, directory, helper, way) };
    }
    if (by === 'vhost-user') {
      const helper = await Helper.start(directory, { listen: `vhost-user:${socket}`, uid, gid }, log, [
        ...['--tag', tag],
        ...(options.helperOptions ?? []),
      ]);
      return { share: new Share(tag, directory, helper, ownDevice(tag, socket)) };
    }
    const { option = '-fsdev', words = [] } = options;
    const driver = (reach: string): Way => ({
      qemuArguments: wordsForQemu(option, tag, reach, words),
      source: tag,
      transport: 'trans=virtio',
    });
    if (by === 'socket') {
      const helper = await serve({ socket, uid, gid });
      return { share: new Share(tag, directory, helper, driver(`socket=${socket}`)) };
    }
    const [emulators, helpers] = connectedPair();
    const helper = await serve({ descriptor: helpers });
    fs.closeSync(helpers);
    const way = driver(`sock_fd=${place.nextDescriptor}`);
    return { share: new Share(tag, directory, helper, way), inherited: emulators };
  }
}

/** By an address of the user network that stands for a socket of the host's. QEMU connects to it when it starts. */
export function forwarded(tag: string, socket: string, number: number): Way {
  const address = `10.0.2.${100 + number}`;
  return {
    qemuArguments: ['-chardev', `socket,id=${tag},path=${socket}`],
    source: address,
    transport: `trans=tcp,port=${PORT}`,
    network: `guestfwd=tcp:${address}:${PORT}-chardev:${tag}`,
  };
}

/** By a virtio-9p device of which QEMU shows the guest only the outside. */
function ownDevice(tag: string, socket: string): Way {
  // before the tag stand two bytes of its length
  const device = `virtio-id=9,num_vqs=1,vq_size=128,config_size=${2 + Buffer.byteLength(tag)}`;
  return {
    qemuArguments: [
      ...['-chardev', `socket,id=${tag},path=${socket}`],
      ...['-device', `vhost-user-test-device-pci,chardev=${tag},${device}`],
    ],
    source: tag,
    transport: 'trans=virtio',
  };
}

/** QEMU's words for the network of a machine with these shares, if it needs one. */
export function wordsForNetwork(shares: Iterable<{ readonly way: Way }>): string[] {
  const words = [...shares].map(({ way }) => way.network).filter((word) => word !== undefined);
  if (words.length === 0) return [];
  const network = ['user', 'id=network', ...(words.includes(OPEN) ? [] : ['restrict=on']), ...new Set(words)];
  return ['-netdev', network.join(','), '-device', 'virtio-net-pci,netdev=network,romfile='];
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** `reach`: `socket=` or `sock_fd=` with its value. */
export function wordsForQemu(
  option: '-fsdev' | '-virtfs',
  tag: string,
  reach: string,
  words: readonly string[] = [],
): string[] {
  const common = ['proxy', `id=${tag}`, reach, ...words];
  return option === '-virtfs'
    ? ['-virtfs', [...common, `mount_tag=${tag}`].join(',')]
    : ['-fsdev', common.join(','), '-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`];
}
