import { Frame, HEADER_BYTES, MAX_FRAME_BYTES, MAX_PAYLOAD_BYTES } from '../../proxy-protocol/frame.js';
import { DESCRIPTOR_FOLLOWS } from '../../proxy-protocol/replies.js';
import * as errno from '../../abi/errno.js';
import { addressOf, type Pointer } from '../../syscalls/libc.js';
import { stableMemory } from '../../syscalls/memory.js';
import { DescriptorMessage, receive, receiveWaiting, send, setSendBuffer } from '../../syscalls/sockets.js';

/** As much as somebody else may receive at once: a request of nearly any kind. */
const LANDING_BYTES = 4096;

/**
 * How much the client may leave unread: a dozen short replies. Descriptors on their way count for the user of this process,
 * over all helpers (unix(7), ETOOMANYREFS), so a client that takes none must not have many of them.
 */
const UNREAD_BYTES = 4096;
/** A reply up to this size goes into the socket in one piece, whatever it costs the kernel. */
const SMALL_REPLY_BYTES = 3584;

/** What passes by itself: the client does not read, the kernel has no memory just now, a signal came. */
const passing = new Set([errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.EINTR].map((code) => -code));

/** What `take` found at the head of what was received. */
export type Received = 'frame' | 'incomplete' | 'oversized';

/**
 * The client's socket: bytes in, whole frames out; replies in, bytes out.
 *
 * One request frame, one reply frame and a page to receive into are all the memory that a client gets.
 */
export class Connection {
  /** The first request, and what came behind it. */
  readonly request = new Frame(stableMemory(MAX_FRAME_BYTES + LANDING_BYTES));
  readonly reply: Frame;
  /** Where somebody else (libuv) receives. Not in the frame: it is told once where, and what is in the frame moves. */
  readonly landing = stableMemory(LANDING_BYTES);
  protected readonly requestAddress = addressOf(this.request.bytes);
  private readonly replyAddress: bigint;
  protected readonly socket: number;
  readonly #message = new DescriptorMessage(DESCRIPTOR_FOLLOWS);
  /** Bytes received and not yet consumed, from the start of the request frame's memory. */
  protected filled = 0;
  /** The part of the reply that the socket did not take yet. */
  #unsent = 0;
  #unsentFrom = 0;
  /** The descriptor that the socket did not take yet. */
  #unsentDescriptor = -1;
  /** Whether the socket has room for a large reply. */
  #widened = false;

  constructor(socket: number, reply: Frame) {
    this.socket = socket;
    this.reply = reply;
    this.replyAddress = addressOf(reply.bytes);
    setSendBuffer(socket, UNREAD_BYTES);
  }

  /** Whether a reply waits for a client that does not read. */
  get blocked(): boolean {
    return this.#unsent > 0 || this.#unsentDescriptor >= 0;
  }

  /** Whether the client stopped in the middle of a request. */
  get partial(): boolean {
    return this.filled > 0;
  }

  /** Takes over the bytes that came to `landing`. */
  landed(bytes: number): void {
    this.request.bytes.set(this.landing.subarray(0, bytes), this.filled);
    this.filled += bytes;
  }

  /** Receives what is there. @returns bytes, 0 at the end of the stream, or -errno (EAGAIN: nothing there) */
  receive(): number {
    return this.received(receive(this.socket, this.#rest(), MAX_FRAME_BYTES - this.filled));
  }

  /** As `receive`, but waits for a while: at most the socket's receive time-out. */
  receiveWaiting(): number {
    return this.received(receiveWaiting(this.socket, this.#rest(), MAX_FRAME_BYTES - this.filled));
  }

  #rest(): Pointer {
    return this.filled === 0 ? this.requestAddress : this.request.bytes.subarray(this.filled);
  }

  protected received(bytes: number): number {
    if (bytes > 0) this.filled += bytes;
    return bytes;
  }

  /** Looks whether a whole request has come. Its bytes stay in `request` until `consume`. */
  take(): Received {
    if (this.filled < HEADER_BYTES) return 'incomplete';
    if (this.request.payloadBytes > MAX_PAYLOAD_BYTES) return 'oversized';
    return this.filled < HEADER_BYTES + this.request.payloadBytes ? 'incomplete' : 'frame';
  }

  /** Drops the request at the head. */
  consume(): void {
    const end = HEADER_BYTES + this.request.payloadBytes;
    // a client that waits for its replies, as QEMU does, never has more in the buffer
    if (this.filled > end) this.request.bytes.copyWithin(0, end, this.filled);
    this.filled -= end;
  }

  /** Sends the first `bytes` of the reply frame. @returns 0, or -errno; when the client does not read, `blocked` */
  send(bytes: number): number {
    this.#unsentFrom = 0;
    this.#unsent = bytes;
    if (bytes > SMALL_REPLY_BYTES) this.#widen(true);
    return this.flush();
  }

  /**
   * Sends an open descriptor with the four bytes that announce it. The caller closes it unless `blocked`.
   *
   * @returns 0, or why the kernel does not pass it on, which is no reason to end: the client can be told
   */
  sendDescriptor(descriptor: number): number {
    this.#unsentDescriptor = descriptor;
    return this.flush();
  }

  /** Whether it is a descriptor that `flush` still has to send. */
  get hasUnsentDescriptor(): boolean {
    return this.#unsentDescriptor >= 0;
  }

  /** Goes on with a reply that was blocked. @returns 0, or -errno */
  flush(): number {
    if (this.#unsentDescriptor >= 0) {
      const sent = this.#message.send(this.socket, this.#unsentDescriptor);
      if (sent === -errno.EAGAIN || sent === -errno.EINTR) return 0;
      this.#unsentDescriptor = -1;
      return Math.min(sent, 0);
    }
    while (this.#unsent > 0) {
      const from = this.#unsentFrom === 0 ? this.replyAddress : this.reply.bytes.subarray(this.#unsentFrom);
      const sent = send(this.socket, from, this.#unsent);
      if (sent < 0) {
        if (passing.has(sent)) return 0;
        this.#unsent = 0;
        return sent;
      }
      this.#unsentFrom += sent;
      this.#unsent -= sent;
    }
    if (this.#widened) this.#widen(false);
    return 0;
  }

  #widen(widened: boolean): void {
    this.#widened = widened;
    setSendBuffer(this.socket, widened ? 2 * MAX_FRAME_BYTES : UNREAD_BYTES);
  }
}
