import * as errno from '../../abi/errno.js';
import { DescriptorReceiver } from '../../syscalls/descriptor-messages.js';
import { DescriptorWatch } from '../../syscalls/descriptor-watch.js';
import { close } from '../../syscalls/files.js';
import { addressOf } from '../../syscalls/libc.js';
import { stableMemory } from '../../syscalls/memory.js';

export interface ReplacementEvents {
  /** A connection to another helper, which is the receiver's from now on. */
  readonly came: (socket: number) => void;
  /** None will come any more. */
  readonly ended: () => void;
}

/** Where connections to other helpers come from when one has ended: each with a byte. */
export class Replacements {
  readonly #channel: number;
  readonly #events: ReplacementEvents;
  readonly #receiver = new DescriptorReceiver();
  readonly #byte = stableMemory(1);
  readonly #address = addressOf(this.#byte);
  readonly #watch: DescriptorWatch;

  /** @param channel a unix stream socket, of which this is the owner from now on */
  constructor(channel: number, events: ReplacementEvents) {
    this.#channel = channel;
    this.#events = events;
    this.#watch = new DescriptorWatch(channel, { readable: true, writable: false }, this.#receive);
  }

  readonly #receive = (): void => {
    for (;;) {
      const bytes = this.#receiver.receive(this.#channel, this.#address, 1);
      if (bytes === -errno.EAGAIN || bytes === -errno.EINTR) return;
      const [socket] = bytes > 0 ? this.#receiver.descriptors : [];
      if (socket === undefined) break;
      this.#events.came(socket);
    }
    this.#watch.close();
    close(this.#channel);
    this.#events.ended();
  };
}
