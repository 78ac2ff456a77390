import type { Frame } from '../../proxy-protocol/frame.js';
import { MAX_FRAME_BYTES } from '../../proxy-protocol/frame.js';
import * as errno from '../../abi/errno.js';
import { close } from '../../syscalls/files.js';
import { DescriptorReceiver } from '../../syscalls/descriptor-messages.js';
import { StrangerCloser } from '../../syscalls/stranger.js';
import { Connection, type Received } from './connection.js';

/** Where the descriptor that came with the request at the head is told. */
export interface PassedDescriptor {
  /** Or -errno: why what came cannot be used; undefined when nothing came. */
  descriptor: number | undefined;
}

/** What came with some bytes, and where they are in the request frame's memory: `from` to `to`, which is not included. */
interface Arrived {
  readonly descriptor: number;
  from: number;
  to: number;
}

/**
 * A connection that takes descriptors. One belongs to the requests that begin in what was received with it: in the message
 * that carried it, or in front of that in what the kernel gave together with it.
 *
 * Whatever is not taken is closed where nobody waits for it. At most two are held: that of a request of which a part
 * has come, and that of what came last.
 */
export class DescriptorConnection extends Connection {
  readonly #receiver = new DescriptorReceiver();
  readonly #closer = new StrangerCloser();
  private readonly passed: PassedDescriptor;
  private readonly check: (descriptor: number) => number;
  #arrived: readonly Arrived[] = [];

  /**
   * @param passed is told what comes with the request at the head
   * @param check says whether a descriptor can be used: 0, or -errno for what is closed
   */
  constructor(socket: number, reply: Frame, passed: PassedDescriptor, check: (descriptor: number) => number) {
    super(socket, reply);
    this.passed = passed;
    this.check = check;
  }

  override receive(): number {
    return this.#keep(this.#receiver.receive(this.socket, this.#restAddress, MAX_FRAME_BYTES - this.filled));
  }

  override receiveWaiting(): number {
    return this.#keep(
      this.#receiver.receiveWaiting(this.socket, this.#restAddress, MAX_FRAME_BYTES - this.filled),
    );
  }

  override take(): Received {
    const found = super.take();
    if (found === 'frame') this.passed.descriptor = this.#ofHead();
    // no request begins in what came behind the part of the first one
    else this.#drop(({ from }) => from > 0);
    return found;
  }

  override consume(): void {
    const before = this.filled;
    super.consume();
    this.passed.descriptor = undefined;
    if (this.#arrived.length === 0) return;
    for (const arrived of this.#arrived) {
      arrived.from -= before - this.filled;
      arrived.to -= before - this.filled;
    }
    this.#drop(({ to }) => to <= 0);
  }

  get #restAddress(): bigint {
    return this.requestAddress + BigInt(this.filled);
  }

  #ofHead(): number | undefined {
    return this.#arrived.find(({ from, to }) => from <= 0 && to > 0)?.descriptor;
  }

  #keep(bytes: number): number {
    const { descriptors, isCut } = this.#receiver;
    if (bytes > 0 && (descriptors.length > 0 || isCut)) {
      const from = this.filled;
      this.#arrived = [...this.#arrived, { descriptor: this.#accept(descriptors), from, to: from + bytes }];
      if (this.#closer.isBusy) return -errno.EMFILE;
    }
    return this.received(bytes);
  }

  /** @returns the descriptor, or -errno for what is closed */
  #accept(descriptors: readonly number[]): number {
    const [descriptor = -1] = descriptors;
    const isOne = descriptors.length === 1 && !this.#receiver.isCut;
    const refused = isOne ? this.check(descriptor) : -errno.EBADF;
    if (refused >= 0) return descriptor;
    for (const stranger of descriptors) this.#closer.close(stranger);
    return refused;
  }

  #drop(isOver: (arrived: Arrived) => boolean): void {
    if (this.#arrived.length === 0) return;
    const over = this.#arrived.filter(isOver);
    if (over.length === 0) return;
    for (const { descriptor } of over) if (descriptor >= 0) close(descriptor);
    this.#arrived = this.#arrived.filter((arrived) => !isOver(arrived));
  }
}
