/** One exported directory with its helper, and the words with which QEMU is told of it. */
import fs from 'node:fs';
import path from 'node:path';
import { Helper } from './helper.js';
import { connectedPair } from './socketpair.js';

export interface ShareOptions {
  /** What the guest mounts; also names the directory. */
  readonly tag: string;
  /** How QEMU reaches the helper: `socket=` (the default) or `sock_fd=`. */
  readonly by?: 'socket' | 'sock_fd';
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
  readonly inherited: number | undefined;
}

export class Share {
  readonly tag: string;
  readonly directory: string;
  readonly helper: Helper;
  readonly qemuArguments: readonly string[];

  private constructor(tag: string, directory: string, helper: Helper, qemuArguments: readonly string[]) {
    this.tag = tag;
    this.directory = directory;
    this.helper = helper;
    this.qemuArguments = qemuArguments;
  }

  /** `nextDescriptor` is the number under which QEMU will find what it inherits for this share. */
  static async open(
    options: ShareOptions,
    place: { readonly directory: string; readonly run: string; readonly uid: number; readonly gid: number },
    nextDescriptor: number,
  ): Promise<ShareSetup> {
    const { tag, by = 'socket', option = '-fsdev', words = [] } = options;
    const directory = options.directory ?? path.join(place.directory, tag);
    fs.mkdirSync(directory, { recursive: true, mode: 0o755 });
    const log = path.join(place.directory, `${tag}.helper`);

    const pair = by === 'sock_fd' ? connectedPair() : undefined;
    const socket = path.join(place.run, `${tag}.sock`);
    const endpoint =
      pair === undefined ? { socket, uid: place.uid, gid: place.gid } : { descriptor: pair[1] };
    const helper = await Helper.start(directory, endpoint, log, options.helperOptions);
    if (pair !== undefined) fs.closeSync(pair[1]);

    const reach = pair === undefined ? `socket=${socket}` : `sock_fd=${nextDescriptor}`;
    const qemuArguments = wordsForQemu(option, tag, reach, words);
    return { share: new Share(tag, directory, helper, qemuArguments), inherited: pair?.[0] };
  }
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
