import * as errno from '../../abi/errno.js';
import { describeErrno } from '../../abi/errno-text.js';
import { DescriptorReceiver } from '../../syscalls/descriptor-messages.js';
import { DescriptorWatch } from '../../syscalls/descriptor-watch.js';
import { addressOf } from '../../syscalls/libc.js';
import { littleEndian, stableMemory } from '../../syscalls/memory.js';
import { send } from '../../syscalls/sockets.js';
import { closeStranger, type StrangerCloser } from '../../syscalls/stranger.js';
import { HEADER_BYTES, MAX_PAYLOAD_BYTES, REPLY, uint32, VERSION, VERSION_MASK } from './protocol.js';

/** What the front end asks. */
export interface FrontEndMessage {
  readonly request: number;
  readonly flags: number;
  /** Valid until the message is handled. */
  readonly payload: DataView;
  /** Descriptors that came with it; the handler takes those out that it keeps. */
  readonly descriptors: number[];
}

export interface FrontEndEvents {
  /** The next message waits until this has settled. */
  received(message: FrontEndMessage): Promise<void>;
  /** The front end has left; without an error: as it may. The connection is closed. */
  ended(error?: string): void;
}

/** No message has more: one for each region of a table. */
const MAX_DESCRIPTORS = 8;

/** The socket of the emulator. */
export class FrontEnd {
  readonly #socket: number;
  readonly #events: FrontEndEvents;
  readonly #closer: StrangerCloser;
  readonly #watch: DescriptorWatch;
  readonly #receiver = new DescriptorReceiver();
  readonly #input = stableMemory(HEADER_BYTES + MAX_PAYLOAD_BYTES);
  readonly #address = addressOf(this.#input);
  readonly #view = new DataView(this.#input.buffer);
  readonly #output = stableMemory(HEADER_BYTES + MAX_PAYLOAD_BYTES);
  #filled = 0;
  #descriptors: number[] = [];
  #isDelivering = false;
  #open = true;

  constructor(socket: number, closer: StrangerCloser, events: FrontEndEvents) {
    this.#socket = socket;
    this.#closer = closer;
    this.#events = events;
    this.#watch = new DescriptorWatch(socket, { readable: true, writable: false }, () => {
      this.#receive();
    });
  }

  /** Answers a request. */
  reply(request: number, payload: Uint8Array): void {
    const view = new DataView(this.#output.buffer);
    view.setUint32(0, request, littleEndian);
    view.setUint32(4, VERSION | REPLY, littleEndian);
    view.setUint32(8, payload.length, littleEndian);
    this.#output.set(payload, HEADER_BYTES);
    const size = HEADER_BYTES + payload.length;
    // it has one question at a time open, so there is room
    if (this.#open && send(this.#socket, this.#output, size) !== size) this.#end('it does not read replies');
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#watch.close();
    // those of a message that is being handled are its handler's
    if (!this.#isDelivering) this.#closeDescriptors();
    closeStranger(this.#socket);
  }

  #receive(): void {
    while (this.#open) {
      const size = this.#filled < HEADER_BYTES ? 0 : uint32(this.#view, 8);
      if (this.#filled >= HEADER_BYTES) {
        if ((uint32(this.#view, 4) & VERSION_MASK) !== VERSION || size > MAX_PAYLOAD_BYTES) {
          this.#end('what it sends is no vhost-user message');
          return;
        }
        if (this.#filled === HEADER_BYTES + size) {
          void this.#deliver(size);
          return;
        }
      }
      const wanted = HEADER_BYTES + size - this.#filled;
      const bytes = this.#receiver.receive(this.#socket, this.#address + BigInt(this.#filled), wanted);
      if (bytes === -errno.EAGAIN) return;
      if (bytes === -errno.EINTR) continue;
      this.#descriptors.push(...(bytes > 0 ? this.#receiver.descriptors : []));
      if (bytes <= 0) {
        const hasLeft = bytes === 0 || bytes === -errno.ECONNRESET;
        this.#end(hasLeft ? undefined : describeErrno(bytes));
        return;
      }
      if (this.#receiver.isCut || this.#descriptors.length > MAX_DESCRIPTORS) {
        this.#end('it sends too many descriptors');
        return;
      }
      this.#filled += bytes;
    }
  }

  async #deliver(size: number): Promise<void> {
    this.#watch.change({ readable: false, writable: false });
    const payload = new DataView(this.#input.buffer, HEADER_BYTES, size);
    this.#isDelivering = true;
    await this.#events.received({
      request: uint32(this.#view, 0),
      flags: uint32(this.#view, 4),
      payload,
      descriptors: this.#descriptors,
    });
    this.#isDelivering = false;
    this.#closeDescriptors();
    this.#filled = 0;
    if (!this.#open) return;
    this.#watch.change({ readable: true, writable: false });
    this.#receive();
  }

  #closeDescriptors(): void {
    for (const descriptor of this.#descriptors.splice(0)) this.#closer.close(descriptor);
  }

  #end(error?: string): void {
    if (!this.#open) return;
    this.close();
    this.#events.ended(error);
  }
}
