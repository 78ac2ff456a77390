/** The ways in which a directory is shared with a guest: what serves it, and what QEMU and the guest are told of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inTree } from '../../harness/guest/emulator.js';
import {
  forwarded,
  Share as OurShare,
  type ShareOptions,
  type Way,
  wordsForQemu,
} from '../../harness/guest/share.js';
import {
  type Contestant,
  ended,
  launch,
  minimalLoops,
  ourHelper,
  reference,
  referenceHelper,
} from '../contestants.js';
import { connectedPair } from '../libc.js';

/** What is compared, as data. */
export interface ShareKind {
  /** The tag, and the directory of its own in which the work on it is done. */
  readonly key: string;
  readonly title: string;
  readonly type: '9p' | 'virtiofs';
  /** Of the guest's mount, besides how it gets there. */
  readonly options: string;
  /** Whether the guest keeps what it knows, as people mount; otherwise it asks every time. */
  readonly cached: boolean;
  serve(place: Place): Promise<Served>;
}

/** Where a share is served. */
export interface Place {
  /** Which QEMU and what belongs to it see under the same path. */
  readonly directory: string;
  readonly exported: string;
  /** A Debian of its own, whose QEMU runs; this machine's when left out. */
  readonly tree: string | undefined;
  /** How many shares the machine has already. */
  readonly number: number;
  /** The number under which QEMU will find what it inherits for this share. */
  readonly nextDescriptor: number;
}

export interface Served {
  readonly way: Way;
  readonly inherited?: number;
  /** When QEMU has ended. */
  stop(): Promise<void>;
}

const DIOD = '/usr/sbin/diod';
/** The last one in C, which came with QEMU before 8.0. */
const VIRTIOFSD = '/usr/lib/qemu/virtiofsd';
/** The one in Rust, in a Debian that has it. */
const VIRTIOFSD_OF_TREE = '/usr/libexec/virtiofsd';
const LISTEN_MS = 20_000;

/** The largest message that the driver sends over virtio. */
const uncached = 'version=9p2000.L,msize=512000,cache=none';
const cached = 'version=9p2000.L,msize=512000,cache=loose';

/** What the proxy driver of QEMU before 9.2 can be compared with. */
export function sharesOfProxyDriver(): readonly ShareKind[] {
  const [loop] = minimalLoops();
  return [
    proxy('ours', 'ours', ourHelper),
    ...(fs.existsSync(reference) ? [proxy('reference', 'C helper', referenceHelper)] : []),
    ...(loop === undefined ? [] : [proxy('loop', 'minimal C loop', loop)]),
    local('local', 'local', uncached),
    ...(fs.existsSync(VIRTIOFSD) ? [virtiofs('virtiofs', 'virtiofsd', VIRTIOFSD, ['-o', 'cache=auto'])] : []),
  ];
}

/** What a guest of today's QEMU can mount: first as if nobody cached, then as people do. */
export function sharesOfToday(): readonly ShareKind[] {
  return [
    ours('ours', 'ours, vhost-user', 'vhost-user', uncached),
    ours('tcp', 'ours, TCP', 'guestfwd', uncached),
    local('local', 'local', uncached),
    virtiofs('virtiofs', 'virtiofsd', VIRTIOFSD_OF_TREE, ['--cache', 'never']),
    ...(fs.existsSync(DIOD) ? [diod] : []),
    ours('ours-cached', 'ours, cache=loose', 'vhost-user', cached),
    local('local-cached', 'local, cache=loose', cached),
    virtiofs('virtiofs-cached', 'virtiofsd, cache=auto', VIRTIOFSD_OF_TREE, ['--cache', 'auto']),
  ];
}

/** By QEMU's proxy driver, which asks a helper. */
function proxy(key: string, title: string, contestant: Contestant): ShareKind {
  const serve = ({ exported, nextDescriptor }: Place): Promise<Served> => {
    const [emulators, helpers] = connectedPair();
    const helper = launch(contestant, exported, helpers);
    const qemuArguments = wordsForQemu('-fsdev', key, `sock_fd=${nextDescriptor}`);
    return Promise.resolve({
      way: byVirtio(key, qemuArguments),
      inherited: emulators,
      stop: () => ended(helper),
    });
  };
  return { key, title, type: '9p', options: uncached, cached: false, serve };
}

/** By QEMU itself. */
function local(key: string, title: string, options: string): ShareKind {
  const serve = ({ exported }: Place): Promise<Served> => {
    const qemuArguments = [
      ...['-fsdev', `local,id=${key},path=${exported},security_model=passthrough`],
      ...['-device', `virtio-9p-pci,fsdev=${key},mount_tag=${key}`],
    ];
    return Promise.resolve({ way: byVirtio(key, qemuArguments), stop: () => Promise.resolve() });
  };
  return { key, title, type: '9p', options, cached: options === cached, serve };
}

/** By our `share`. */
function ours(key: string, title: string, by: NonNullable<ShareOptions['by']>, options: string): ShareKind {
  const serve = async ({ directory, exported, number, nextDescriptor }: Place): Promise<Served> => {
    const { share } = await OurShare.open(
      { tag: key, by, directory: exported, helperOptions: ['--log-level', 'error'] },
      { directory, run: directory, uid: 0, gid: 0, number, nextDescriptor },
    );
    const stop = async (): Promise<void> => {
      await Promise.race([share.helper.end, sleep(5000, undefined, { ref: false })]);
      share.helper.kill();
    };
    return { way: share.way, stop };
  };
  return { key, title, type: '9p', options, cached: options === cached, serve };
}

/** By virtiofsd, with its own defaults but for the cache. */
function virtiofs(key: string, title: string, program: string, cache: readonly string[]): ShareKind {
  const serve = async ({ directory, exported, tree }: Place): Promise<Served> => {
    const socket = path.join(directory, `${key}.sock`);
    const source = tree === undefined ? ['-o', `source=${exported}`] : ['--shared-dir', exported];
    const words = [program, `--socket-path=${socket}`, ...source, ...cache];
    const daemon = await listening(
      tree === undefined ? words : [...inTree(tree, directory), ...words],
      socket,
    );
    const qemuArguments = [
      ...['-chardev', `socket,id=${key},path=${socket}`],
      ...['-device', `vhost-user-fs-pci,chardev=${key},tag=${key}`],
    ];
    return { way: byVirtio(key, qemuArguments), stop: () => ended(daemon) };
  };
  return { key, title, type: 'virtiofs', options: 'rw', cached: !cache.includes('never'), serve };
}

/** By a server in C that reaches the guest as ours does over TCP. Its longest message is 64 KiB. */
const diod: ShareKind = {
  key: 'diod',
  title: 'diod',
  type: '9p',
  options: uncached,
  cached: false,
  serve: async ({ directory, exported, number }) => {
    const socket = path.join(directory, 'diod.sock');
    const options = ['-f', '-n', '-N', '-e', exported, '-U', 'root', '-L', 'stderr', '-l', socket];
    const daemon = await listening([DIOD, ...options], socket);
    const way = forwarded('diod', socket, number);
    const stop = (): Promise<void> => {
      daemon.kill('SIGKILL');
      return ended(daemon);
    };
    return { way: { ...way, transport: `${way.transport},uname=root,aname=${exported}` }, stop };
  },
};

function byVirtio(tag: string, qemuArguments: readonly string[]): Way {
  return { qemuArguments, source: tag, transport: 'trans=virtio' };
}

/** Starts a program, and waits for its socket. */
async function listening([program = '', ...argv]: readonly string[], socket: string): Promise<ChildProcess> {
  const daemon = spawn(program, argv, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  daemon.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2000)));
  const late = Date.now() + LISTEN_MS;
  while (!fs.existsSync(socket)) {
    if (daemon.exitCode !== null || Date.now() > late) throw new Error(`${program} does not listen: ${said}`);
    await sleep(20);
  }
  return daemon;
}

/** What the guest mounts a share with. */
export function mountWords({ type, options }: ShareKind, { transport, source }: Way): string {
  return type === '9p' ? `-t 9p -o ${transport},${options} ${source}` : `-t virtiofs -o ${options} ${source}`;
}
