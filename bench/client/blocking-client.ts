import { addressOf, close, memory, recv, recvmsg, send } from '../libc.js';

const MSG_NOSIGNAL = 0x4000;
const DESCRIPTOR_FOLLOWS = 0x7fffffff;
const LARGEST_REPLY = 8 + 65_536;

/** One request, ready to be sent. */
export interface Step {
  /** Under what name its times are reported. */
  readonly name: string;
  readonly frame: Uint8Array;
  readonly bytes: number;
  readonly isDescriptor: boolean;
  /** Whether the helper is to refuse it, as guests ask for much that is not there. */
  readonly fails: boolean;
}

/**
 * A client that waits in recv(2), as QEMU does. Nothing in `exchange` allocates or goes through an event loop, so what
 * it measures is the helper and the kernel.
 */
export class BlockingClient {
  readonly fd: number;
  readonly #reply = memory(LARGEST_REPLY);
  readonly #replyWords = new Int32Array(this.#reply.buffer, 0, 4);
  /** `struct msghdr` at 0, `struct iovec` at 64, room for one descriptor at 96. */
  readonly #message = memory(160);
  readonly #descriptor = new Int32Array(this.#message.buffer, 112, 1);
  readonly #controlLength = new Uint32Array(this.#message.buffer, 40, 1);

  constructor(fd: number) {
    this.fd = fd;
    const view = new DataView(this.#message.buffer);
    const base = addressOf(this.#message);
    view.setBigUint64(16, base + 64n, true); // msg_iov
    view.setBigUint64(24, 1n, true); // msg_iovlen
    view.setBigUint64(32, base + 96n, true); // msg_control
    view.setBigUint64(64, addressOf(this.#reply), true); // iov_base
    view.setBigUint64(72, 4n, true); // iov_len
  }

  /** Sends a request and waits for its reply. @returns the descriptor that came with it, or -1 */
  exchange(step: Step): number {
    if (send(this.fd, step.frame, step.bytes, MSG_NOSIGNAL) !== step.bytes) this.#broken(step);
    return step.isDescriptor ? this.#descriptorReply(step) : this.#payloadReply(step);
  }

  close(): void {
    close(this.fd);
  }

  #descriptorReply(step: Step): number {
    this.#controlLength[0] = 24;
    if (recvmsg(this.fd, this.#message, 0) !== 4) this.#broken(step);
    const status = this.#replyWords[0] ?? 0;
    if (step.fails ? status >= 0 : status !== DESCRIPTOR_FOLLOWS) this.#unexpected(step, status);
    return step.fails ? -1 : (this.#descriptor[0] ?? -1);
  }

  #payloadReply(step: Step): number {
    let received = recv(this.fd, this.#reply, LARGEST_REPLY, 0);
    if (received <= 0) this.#broken(step);
    // the reference sends a reply in one piece, too, but nothing obliges a helper to
    while (received < 8 || received < 8 + (this.#replyWords[1] ?? 0)) {
      const more = recv(this.fd, this.#reply.subarray(received), LARGEST_REPLY - received, 0);
      if (more <= 0) this.#broken(step);
      received += more;
    }
    const failed = this.#replyWords[0] !== 0;
    if (failed !== step.fails) this.#unexpected(step, this.#replyWords[2] ?? 0);
    return -1;
  }

  #broken(step: Step): never {
    throw new Error(`${step.name}: the helper is gone`);
  }

  #unexpected(step: Step, status: number): never {
    throw new Error(`${step.name}: answered ${status}`);
  }
}
