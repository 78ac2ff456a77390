/** The same work on a mounted share and on a local file system of a guest, and what differs. */
import { join } from 'node:path';
import type { Dialect } from '../../harness/ninep-messages.js';
import { UmlGuest } from '../../harness/uml-guest.js';
import { patience } from '../../harness/patience.js';
import { mount, type Server, startServer, stopServer, type Transport } from './guest-mounts.js';

/** What a mount can do, as the scripts name it. */
export type Feature =
  | 'links'
  | 'owners'
  | 'nodes'
  | 'xattrs'
  /** Attributes of the name space that takes CAP_SYS_ADMIN. */
  | 'trusted'
  | 'locks'
  | 'mmap'
  /** Renaming from one directory to another, which Linux' client asks for in 9P2000.L alone. */
  | 'moves'
  /** Set-id and sticky bits. */
  | 'special'
  /** statfs(2). */
  | 'space';

/** How a server is mounted. */
export interface Variant {
  readonly dialect: Dialect;
  readonly transport: Transport;
  readonly options: readonly string[];
  readonly features: readonly Feature[];
}

interface Work {
  /** What the programs printed. */
  readonly output: string;
  /** All that is there afterwards, as the guest sees it. */
  readonly listing: string;
}

const LOCAL = '/mnt/disk/local';
const EXPORT = '/mnt/disk/export';
const MOUNT = '/mnt/share';
const TIMEOUT = 120_000 * patience;

const versions: Record<Dialect, string> = {
  '9P2000.L': '9p2000.L',
  '9P2000.u': '9p2000.u',
  '9P2000': '9p2000',
};

export class GuestComparison {
  readonly guest: UmlGuest;
  readonly #local = new Map<string, Work>();

  private constructor(guest: UmlGuest) {
    this.guest = guest;
  }

  static async boot(): Promise<GuestComparison> {
    return new GuestComparison(await UmlGuest.boot());
  }

  /** All that differs between a share and a local directory, and between the two sides of the share. */
  async compare(server: Server, { dialect, transport, options, features }: Variant): Promise<string[]> {
    const here = await this.#workLocally(features);
    await this.guest.run(`rm -rf ${EXPORT}; mkdir -p ${EXPORT}`);
    await startServer(this.guest, server, EXPORT, transport);
    const words = [`version=${versions[dialect]}`, ...options, ...server.mountOptions(EXPORT)];
    await mount(this.guest, MOUNT, transport, words);
    const there = await this.#work(MOUNT, features);
    await this.guest.run(`umount ${MOUNT}`);
    const behind = await this.#list(EXPORT, features);
    return [
      ...differences(here.output, there.output),
      ...differences(here.listing, there.listing).map((difference) => `in the guest: ${difference}`),
      ...differences(here.listing, behind).map((difference) => `on the host: ${difference}`),
    ];
  }

  /** Ends the server that was compared, whatever came of it. */
  async stop(): Promise<void> {
    await this.guest.attempt(`umount -l ${MOUNT} 2>/dev/null`);
    await stopServer(this.guest);
  }

  async #workLocally(features: readonly Feature[]): Promise<Work> {
    const key = features.join(' ');
    const known = this.#local.get(key);
    if (known !== undefined) return known;
    await this.guest.run(`rm -rf ${LOCAL}; mkdir ${LOCAL}`);
    const result = await this.#work(LOCAL, features);
    this.#local.set(key, result);
    return result;
  }

  async #work(directory: string, features: readonly Feature[]): Promise<Work> {
    const output = await this.#script('file-work.py', directory, features);
    return { output, listing: await this.#list(directory, features) };
  }

  #list(directory: string, features: readonly Feature[]): Promise<string> {
    return this.#script('list-files.py', directory, features);
  }

  #script(name: string, directory: string, features: readonly Feature[]): Promise<string> {
    const path = join(import.meta.dirname, name);
    return this.guest.run(`cd ${directory}; python3 -S ${path} ${features.join(' ')} 2>&1`, TIMEOUT);
  }
}

/** The lines that two texts do not have in common. */
export function differences(expected: string, found: string): string[] {
  const [wanted, got] = [expected.split('\n'), found.split('\n')];
  return [
    ...wanted.filter((line) => !got.includes(line)).map((line) => `- ${line}`),
    ...got.filter((line) => !wanted.includes(line)).map((line) => `+ ${line}`),
  ];
}
