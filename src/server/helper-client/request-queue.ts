import * as errno from '../../abi/errno.js';
import { O_CREAT, O_TRUNC } from '../../abi/open-flags.js';
import type { FieldsOf, RequestEncoder } from '../../proxy-protocol/encoder.js';
import { Frame, MAX_FRAME_BYTES } from '../../proxy-protocol/frame.js';
import type { AnyReply } from '../../proxy-protocol/reply-decoder.js';
import { type RequestName, requests } from '../../proxy-protocol/requests.js';
import { DescriptorSender } from '../../syscalls/descriptor-messages.js';
import { addressOf } from '../../syscalls/libc.js';
import { stableMemory } from '../../syscalls/memory.js';
import { send } from '../../syscalls/sockets.js';

/** How many bytes of requests may be on their way: nearly a thousand ordinary ones. */
const WINDOW_BYTES = 65_536;
/** How many descriptors may be on their way, which count for the user of this process: unix(7), ETOOMANYREFS. */
const WINDOW_DESCRIPTORS = 16;
/** Room for the window and one request of any size. */
const BUFFER_BYTES = WINDOW_BYTES + MAX_FRAME_BYTES;

/** What passes by itself: the helper does not read just now, the kernel has no memory, a signal came. */
const passing = new Set([errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.EINTR].map((code) => -code));
/** There is no helper any more. */
export const gone = new Set([errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN].map((code) => -code));

/** A request that is not answered yet. */
export interface Pending {
  readonly name: RequestName;
  /** The size of the reply that was asked for, if any. */
  readonly asked: number;
  readonly resolve: (reply: AnyReply) => void;
  readonly bytes: number;
  readonly encoder: RequestEncoder<RequestName>;
  /** As they were given, for a second time. */
  readonly fields: FieldsOf<RequestName>;
  /** What goes along with its first byte, or -1. */
  readonly descriptor: number;
  /** How many of its bytes the socket did not take yet. */
  unsent: number;
  /** Whether the descriptor went along. */
  passed: boolean;
  /** Its bytes, where the buffer had no room. */
  late: Uint8Array | undefined;
  next: Pending | undefined;
}

/** Whether a descriptor is still to go along. */
const bringsDescriptor = ({ descriptor, passed }: Pending): boolean => descriptor >= 0 && !passed;

/** The requests in the order in which they are made, sent and answered. */
export class RequestQueue {
  readonly #buffer = new Frame(stableMemory(BUFFER_BYTES));
  readonly #address = addressOf(this.#buffer.bytes);
  readonly #sender = new DescriptorSender();
  /** What is to be sent, in the buffer. */
  #from = 0;
  #filled = 0;
  /** The oldest request, and the newest. */
  #first: Pending | undefined;
  #last: Pending | undefined;
  /** The first one of which something is to be sent. */
  #next: Pending | undefined;
  /** The first one that is not in the buffer. */
  #late: Pending | undefined;
  /** What is on its way. */
  #bytes = 0;
  #descriptors = 0;
  /** Whether the window was full: then half of it is to be free, so that not every reply lets one request go. */
  #full = false;
  /** Whether the socket took no more. */
  #blocked = false;

  add(
    request: Pick<Pending, 'name' | 'asked' | 'resolve' | 'bytes' | 'encoder' | 'fields' | 'descriptor'>,
  ): void {
    const { name, asked, resolve, bytes, encoder, fields, descriptor } = request;
    const pending: Pending = {
      name,
      asked,
      resolve,
      bytes,
      encoder,
      fields,
      descriptor,
      unsent: bytes,
      passed: false,
      late: undefined,
      next: undefined,
    };
    if (this.#late === undefined && this.#filled + bytes <= BUFFER_BYTES) {
      encoder.encode(fields, this.#buffer, this.#filled, bytes);
      this.#filled += bytes;
    } else {
      pending.late = new Uint8Array(bytes);
      encoder.encode(fields, new Frame(pending.late), 0, bytes);
      this.#late ??= pending;
    }
    if (this.#last === undefined) this.#first = pending;
    else this.#last.next = pending;
    this.#last = pending;
    this.#next ??= pending;
  }

  /** The request that the next reply is to. */
  get oldest(): Pending | undefined {
    return this.#first?.unsent === 0 ? this.#first : undefined;
  }

  isEmpty(): boolean {
    return this.#first === undefined;
  }

  get blocked(): boolean {
    return this.#blocked;
  }

  /** Drops the oldest request. */
  answered({ bytes, passed, next }: Pending): void {
    this.#first = next;
    if (next === undefined) this.#last = undefined;
    this.#bytes -= bytes;
    if (passed) this.#descriptors--;
  }

  /** Drops all requests. @returns them */
  clear(): readonly Pending[] {
    const all: Pending[] = [];
    for (let pending = this.#first; pending !== undefined; pending = pending.next) all.push(pending);
    this.#first = this.#last = this.#next = this.#late = undefined;
    this.#from = this.#filled = this.#bytes = this.#descriptors = 0;
    this.#blocked = this.#full = false;
    return all;
  }

  /**
   * Begins anew with all requests, for another helper. A helper carries out one after the other, so of those that are not
   * answered only the oldest can have been begun, and only if it was sent to the end.
   *
   * @returns that one, which is dropped, if it changes something: nobody knows whether it did
   */
  restart(): Pending | undefined {
    const { oldest } = this;
    const begun = oldest !== undefined && changesSomething(oldest.name, oldest.fields) ? oldest : undefined;
    for (const pending of this.clear()) if (pending !== begun) this.add(pending);
    return begun;
  }

  /** Sends what window and socket take. @returns whether it sent anything, or -errno when there is no helper any more */
  send(socket: number): boolean | number {
    let sentSome = false;
    this.#blocked = false;
    for (;;) {
      this.#refill();
      const first = this.#next;
      if (first === undefined) return sentSome;
      const size = this.#messageBytes(first);
      if (size === 0) return sentSome;
      const from = this.#address + BigInt(this.#from);
      const sent = bringsDescriptor(first)
        ? this.#sender.send(socket, from, size, first.descriptor)
        : send(socket, from, size);
      if (sent >= 0) {
        sentSome = true;
        this.#sent(first, sent);
      } else if (passing.has(sent)) {
        this.#blocked = true;
        return sentSome;
      } else if (!bringsDescriptor(first) || gone.has(sent)) {
        return sent;
      } else {
        this.#refuse(first, sent);
      }
    }
  }

  /** Moves requests into the buffer. */
  #refill(): void {
    if (this.#from === this.#filled) this.#from = this.#filled = 0;
    if (this.#late === undefined) return;
    if (this.#from >= WINDOW_BYTES) {
      this.#buffer.bytes.copyWithin(0, this.#from, this.#filled);
      this.#filled -= this.#from;
      this.#from = 0;
    }
    while (this.#late?.late !== undefined && this.#filled + this.#late.bytes <= BUFFER_BYTES) {
      this.#buffer.bytes.set(this.#late.late, this.#filled);
      this.#filled += this.#late.bytes;
      this.#late.late = undefined;
      this.#late = this.#late.next;
    }
  }

  /** How much may go in one message: up to the next request that has a descriptor, and 0 when the window is full. */
  #messageBytes(first: Pending): number {
    const begun = first.unsent < first.bytes;
    if (this.#full && !begun && this.#bytes > WINDOW_BYTES / 2) return 0;
    if (bringsDescriptor(first) && this.#descriptors >= WINDOW_DESCRIPTORS) return 0;
    this.#full = false;
    let size = 0;
    for (
      let pending: Pending | undefined = first;
      pending !== undefined &&
      pending.late === undefined &&
      (pending === first || !bringsDescriptor(pending));
      pending = pending.next
    ) {
      // what is begun has to be ended, and what is larger than the window has to begin some time
      const mustGo = pending === first && (begun || this.#bytes === 0);
      if (!mustGo && this.#bytes + size + pending.unsent > WINDOW_BYTES) {
        this.#full = true;
        break;
      }
      size += pending.unsent;
    }
    return size;
  }

  #sent(first: Pending, bytes: number): void {
    this.#from += bytes;
    this.#bytes += bytes;
    if (bringsDescriptor(first)) {
      first.passed = true;
      this.#descriptors++;
    }
    for (let left = bytes; left > 0 && this.#next !== undefined;) {
      const part = Math.min(left, this.#next.unsent);
      this.#next.unsent -= part;
      left -= part;
      if (this.#next.unsent === 0) this.#next = this.#next.next;
    }
  }

  /** Answers a request whose descriptor the kernel does not pass on: with the reason, as if the helper did. */
  #refuse(refused: Pending, reason: number): void {
    this.#from += refused.bytes;
    this.#next = refused.next;
    let before = this.#first;
    if (before === refused) this.#first = refused.next;
    else {
      while (before?.next !== refused) before = before?.next;
      before.next = refused.next;
    }
    if (this.#last === refused) this.#last = this.#first === undefined ? undefined : before;
    refused.resolve(reason);
  }
}

/** Whether a request that nobody answered may have changed a file. What is answered with a payload only asks. */
function changesSomething(name: RequestName, fields: FieldsOf<RequestName>): boolean {
  if (name === 'open') return ((fields as FieldsOf<'open'>).flags & (O_CREAT | O_TRUNC)) !== 0;
  return requests[name].reply !== 'payload';
}
