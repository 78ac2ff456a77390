import type { Logger } from '../../observability/log.js';
import { Refusals } from '../../observability/refusals.js';
import { StrangerCloser } from '../../syscalls/stranger.js';
import type { MessageBuffers } from '../operations/message-buffers.js';
import type { Channel, ChannelEvents, ChannelFactory } from '../session/channel.js';
import { Device } from './device.js';
import { FrontEnd } from './front-end.js';
import { GuestMemory } from './guest-memory.js';
import { Queue } from './queue.js';
import { Vring } from './vring.js';

/** What the operator chose, and where it is told what goes wrong. */
export interface VhostUserSettings {
  /** What the guest mounts. */
  readonly tag: string;
  readonly log: Logger;
  /** See `InputWait`. */
  readonly pollCeiling: number;
}

/** A virtio-9p device of the guest, which the emulator leaves to this process. */
class VhostUserChannel implements Channel {
  // each message has a chain of its own
  readonly resumable = true;
  // the guest brings the room for every reply
  readonly congested = false;
  readonly #memory = new GuestMemory();
  readonly #queue: Queue;
  readonly #vring: Vring;
  readonly #device: Device;
  readonly #frontEnd: FrontEnd;
  /** What the front end asked last. */
  #handled: Promise<void> = Promise.resolve();

  constructor(
    socket: number,
    { tag, log, pollCeiling }: VhostUserSettings,
    events: ChannelEvents,
    buffers: MessageBuffers,
  ) {
    const closer = new StrangerCloser();
    const memory = this.#memory;
    const refusals = new Refusals(log);
    this.#queue = new Queue(memory, buffers, refusals, {
      received: (message) => {
        events.received(message);
      },
      tell: () => {
        this.#vring.tell();
      },
      broken: () => {
        this.#vring.broken();
      },
    });
    const restarted = (): void => {
      events.restarted();
    };
    this.#vring = new Vring({ memory, queue: this.#queue, closer, pollCeiling, restarted });
    this.#device = new Device({ memory, vring: this.#vring, closer, tag, refusals, restart: restarted });
    this.#frontEnd = new FrontEnd(socket, closer, {
      received: (message) => {
        this.#handled = this.#device.handle(message).then((reply) => {
          if (reply !== undefined) this.#frontEnd.reply(message.request, reply);
        });
        return this.#handled;
      },
      ended: (error) => {
        this.close();
        events.closed(error);
      },
    });
  }

  get limit(): number {
    return this.#queue.limit;
  }

  set limit(bytes: number) {
    this.#queue.limit = bytes;
  }

  pause(): void {
    this.#queue.paused = true;
  }

  resume(): void {
    this.#queue.paused = false;
  }

  expect(): void {
    this.#vring.expect();
  }

  close(): void {
    this.#frontEnd.close();
    void Promise.all([this.#queue.close(), this.#handled]).then(() => {
      this.#queue.stop();
      this.#memory.clear();
      this.#vring.close();
      this.#device.close();
    });
  }
}

/** The channel of a connected socket of an emulator. */
export function overVhostUser(socket: number, settings: VhostUserSettings): ChannelFactory {
  return (events, buffers) => new VhostUserChannel(socket, settings, events, buffers);
}
