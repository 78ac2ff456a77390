import { openSocketPair } from '../startup/socket-pair.js';
import { DescriptorSender } from '../syscalls/descriptor-messages.js';
import { close } from '../syscalls/files.js';
import { addressOf } from '../syscalls/libc.js';
import { stableMemory } from '../syscalls/memory.js';
import { refuseInput } from '../syscalls/sockets.js';

/** A socket to a server, through which it gets connections to further helpers. Nothing comes back: it cannot send. */
export class FurtherHelpers {
  /** The server's end, which who starts the server closes. */
  readonly theirs: number;
  readonly #ours: number;
  readonly #sender = new DescriptorSender();
  readonly #byte = stableMemory(1);
  #open = true;

  /** Throws a StartError. */
  constructor() {
    [this.#ours, this.theirs] = openSocketPair();
    refuseInput(this.#ours);
  }

  /** @param connection stays the caller's. @returns whether the server will get it */
  pass(connection: number): boolean {
    return this.#open && this.#sender.send(this.#ours, addressOf(this.#byte), 1, connection) > 0;
  }

  /** Tells the server that there will be no other helper. */
  close(): void {
    if (this.#open) close(this.#ours);
    this.#open = false;
  }
}
