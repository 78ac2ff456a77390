import * as errno from '../../abi/errno.js';
import { Frame, MAX_FRAME_BYTES } from '../../proxy-protocol/frame.js';
import { type AnyReply, type Found, ReplyDecoder } from '../../proxy-protocol/reply-decoder.js';
import { DESCRIPTOR_FOLLOWS } from '../../proxy-protocol/replies.js';
import { requests } from '../../proxy-protocol/requests.js';
import { DescriptorReceiver } from '../../syscalls/descriptor-messages.js';
import { addressOf } from '../../syscalls/libc.js';
import { stableMemory } from '../../syscalls/memory.js';
import { closeStranger } from '../../syscalls/stranger.js';
import type { Pending } from './request-queue.js';

/** Room for a part of a reply and all that can come behind it. */
const BUFFER_BYTES = 2 * MAX_FRAME_BYTES;

/**
 * Bytes and descriptors in, replies out.
 *
 * What was received at once ends with the message that carried the descriptor, so a descriptor belongs to the reply in
 * which the last byte is.
 */
export class ReplyStream {
  readonly #buffer = new Frame(stableMemory(BUFFER_BYTES));
  readonly #address = addressOf(this.#buffer.bytes);
  readonly #receiver: DescriptorReceiver;
  readonly #decoder = new ReplyDecoder(this.#buffer);
  /** Received and not taken yet. */
  #from = 0;
  #filled = 0;
  /** The descriptor that no reply was found for yet, or -1, and the place of the last byte that came with it. */
  #descriptor = -1;
  #descriptorAt = 0;
  #drained = false;
  /** What the reply that was taken last says. */
  value: AnyReply = 0;

  constructor(receiver = new DescriptorReceiver()) {
    this.#receiver = receiver;
  }

  /** Whether there was nothing more when it last received. */
  get drained(): boolean {
    return this.#drained;
  }

  /** Whether something came that was not taken. */
  get hasMore(): boolean {
    return this.#filled > this.#from;
  }

  /** @returns bytes, 0 at the end of the stream, or -errno; -EPROTO: descriptors that no reply can have */
  receive(socket: number): number {
    return this.#taken(this.#receiver.receive(socket, this.#into(), this.#room));
  }

  /** The same, and sleeps for bytes: `receiveWaiting` of sockets. */
  receiveWaiting(socket: number): number {
    return this.#taken(this.#receiver.receiveWaiting(socket, this.#into(), this.#room));
  }

  get #room(): number {
    return BUFFER_BYTES - this.#filled;
  }

  /** Where there is room. */
  #into(): bigint {
    this.#compact();
    return this.#filled === 0 ? this.#address : this.#address + BigInt(this.#filled);
  }

  #taken(bytes: number): number {
    const room = this.#room;
    const receiver = this.#receiver;
    if (bytes <= 0) return bytes;
    this.#filled += bytes;
    const [descriptor] = receiver.descriptors;
    this.#drained = bytes < room && descriptor === undefined;
    if (descriptor === undefined) return receiver.isCut ? -errno.EPROTO : bytes;
    if (this.#descriptor >= 0 || receiver.descriptors.length > 1 || receiver.isCut) {
      for (const unasked of receiver.descriptors) closeStranger(unasked);
      return -errno.EPROTO;
    }
    this.#descriptor = descriptor;
    this.#descriptorAt = this.#filled - 1;
    return bytes;
  }

  /** Takes the reply to a request, if it has come, and puts what it says into `value`. */
  take({ name, asked }: Pending): Found {
    const decoder = this.#decoder;
    const found = decoder.decode(name, asked, this.#from, this.#filled);
    if (found !== 'reply') return found;
    const end = this.#from + decoder.bytes;
    const brought = this.#descriptor >= 0 && this.#descriptorAt < end;
    const announced = requests[name].reply === 'descriptor' && decoder.value === DESCRIPTOR_FOLLOWS;
    if (brought !== announced) return 'malformed';
    this.value = brought ? this.#descriptor : decoder.value;
    if (brought) this.#descriptor = -1;
    this.#from = end;
    return 'reply';
  }

  /** Forgets what came. */
  clear(): void {
    if (this.#descriptor >= 0) closeStranger(this.#descriptor);
    this.#descriptor = -1;
    this.#from = this.#filled = 0;
  }

  #compact(): void {
    if (this.#from === 0) return;
    this.#buffer.bytes.copyWithin(0, this.#from, this.#filled);
    this.#filled -= this.#from;
    this.#descriptorAt -= this.#from;
    this.#from = 0;
  }
}
