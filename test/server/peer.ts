/** A client whose helper is the test itself. */
import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import { expect, onTestFinished, vi } from 'vitest';
import { HelperClient } from '../../src/server/helper-client/helper-client.js';
import { DescriptorReceiver, DescriptorSender } from '../../src/syscalls/descriptor-messages.js';
import { addressOf } from '../../src/syscalls/libc.js';
import { stableMemory } from '../../src/syscalls/memory.js';
import { setSendBuffer } from '../../src/syscalls/sockets.js';
import { socketpair } from '../../harness/libc.js';

/** The other end of the client's socket. */
export class Peer {
  readonly socket: number;
  readonly #sender = new DescriptorSender();
  readonly #receiver = new DescriptorReceiver();
  readonly #memory = stableMemory(1 << 20);
  readonly #address = addressOf(this.#memory);
  #open = true;

  constructor(socket: number) {
    this.socket = socket;
  }

  send(...parts: Buffer[]): void {
    writeSync(this.socket, Buffer.concat(parts));
  }

  /** Sends bytes with a descriptor that is open on what this process has at `file`. */
  sendDescriptor(file: string, bytes: Buffer): void {
    const descriptor = openSync(file, 'r');
    this.#memory.set(bytes);
    expect(this.#sender.send(this.socket, this.#address, bytes.length, descriptor)).toBe(bytes.length);
    closeSync(descriptor);
  }

  /** What came, and the descriptors that came with it. */
  receive(): { bytes: Buffer; descriptors: readonly number[] } | undefined {
    const length = this.#receiver.receive(this.socket, this.#address, this.#memory.length);
    if (length <= 0) return undefined;
    return {
      bytes: Buffer.from(this.#memory.subarray(0, length)),
      descriptors: [...this.#receiver.descriptors],
    };
  }

  async received(): Promise<Buffer> {
    const parts: Buffer[] = [];
    await vi.waitUntil(() => {
      const part = this.receive();
      if (part !== undefined) parts.push(part.bytes);
      return part !== undefined;
    });
    return Buffer.concat(parts);
  }

  close(): void {
    if (this.#open) closeSync(this.socket);
    this.#open = false;
  }
}

/**
 * @param sendBuffer how much the client's socket takes
 * @param waits whether the client waits for another peer when this one is gone
 */
export function pair(
  sendBuffer?: number,
  waits = false,
): { client: HelperClient; peer: Peer; lost: string[]; gone: string[] } {
  const [ours, theirs] = socketpair();
  if (sendBuffer !== undefined) setSendBuffer(ours, sendBuffer);
  const lost: string[] = [];
  const gone: string[] = [];
  const client = new HelperClient(ours, {
    onGone: (reason) => {
      gone.push(reason);
      return waits;
    },
    onLost: (reason) => {
      lost.push(reason);
    },
  });
  const peer = new Peer(theirs);
  onTestFinished(() => {
    client.close();
    peer.close();
  });
  return { client, peer, lost, gone };
}

/** Another peer in the place of one that is gone. */
export function replaced(client: HelperClient): Peer {
  const [ours, theirs] = socketpair();
  client.replaceSocket(ours);
  const peer = new Peer(theirs);
  onTestFinished(() => {
    peer.close();
  });
  return peer;
}

/** Whether a descriptor is open on what is at `file`. */
export const isFile = (descriptor: number, file: string): boolean => {
  const { ino, dev } = fstatSync(descriptor);
  const other = openSync(file, 'r');
  const same = fstatSync(other);
  closeSync(other);
  return ino === same.ino && dev === same.dev;
};
