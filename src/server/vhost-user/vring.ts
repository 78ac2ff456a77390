import * as errno from '../../abi/errno.js';
import { isWatchable } from '../../syscalls/descriptor-watch.js';
import { DirectWait } from '../../syscalls/direct-wait.js';
import { littleEndian, stableMemory } from '../../syscalls/memory.js';
import { setNonBlocking, write } from '../../syscalls/process.js';
import type { StrangerCloser } from '../../syscalls/stranger.js';
import type { FrontEndMessage } from './front-end.js';
import type { GuestMemory } from './guest-memory.js';
import { Kick } from './kick.js';
import {
  EVENT_IDX,
  FEATURES,
  INDIRECT,
  MAX_RING_SIZE,
  PROTOCOL_FEATURES,
  uint32,
  uint64,
} from './protocol.js';
import type { Queue } from './queue.js';
import { availableBytes, descriptorBytes, type RingAddresses, usedBytes } from './split-ring.js';

/** In the payload of kick, call and err: the number of the ring, and that there is no descriptor. */
const RING_MASK = 0xff;
const NO_DESCRIPTOR = 0x100;
const COUNTER_BYTES = 8;
/** How long the process sleeps for a kick before the event loop takes over: milliseconds. */
const SLEEP_MS = 4;

export interface VringParts {
  readonly memory: GuestMemory;
  readonly queue: Queue;
  readonly closer: StrangerCloser;
  /** See `InputWait`. */
  readonly pollCeiling: number;
  /** The ring is another one: all that the guest had is of no use to it. */
  readonly restarted: () => void;
}

/** The one ring of the device, as the front end sets it up. It works while it has a kick and is enabled. */
export class Vring {
  readonly #memory: GuestMemory;
  readonly #queue: Queue;
  readonly #closer: StrangerCloser;
  /** The ring is another one: all that the guest had is of no use to it. */
  readonly #restarted: () => void;
  readonly #wait: DirectWait;
  readonly #one = stableMemory(COUNTER_BYTES);
  #features = 0n;
  #size = 0;
  /** In the front end's memory. */
  #addresses: RingAddresses | undefined;
  #base = 0;
  /** What the front end was told that the ring goes on with. */
  #toldBase: number | undefined;
  #enabled = false;
  #kick: Kick | undefined;
  #call: number | undefined;
  #error: number | undefined;

  constructor({ memory, queue, closer, pollCeiling, restarted }: VringParts) {
    this.#memory = memory;
    this.#queue = queue;
    this.#closer = closer;
    this.#restarted = restarted;
    this.#one[0] = 1;
    this.#wait = new DirectWait(
      {
        get wanted() {
          return queue.takes;
        },
        receive: () => (queue.hasChain ? 1 : -errno.EAGAIN),
        receiveWaiting: () => (queue.awaitKick() || this.#kick?.sleep(SLEEP_MS) === true ? 1 : -errno.EAGAIN),
        take: () => {
          this.#queue.drain();
        },
      },
      pollCeiling,
    );
  }

  /** Takes the features that the guest has chosen. */
  agree(features: bigint): number {
    if ((features & ~FEATURES) !== 0n) return -errno.EINVAL;
    this.#features = features;
    // without the protocol's features a ring is enabled from the start
    if ((features & PROTOCOL_FEATURES) === 0n) this.#enabled = true;
    return 0;
  }

  setSize(payload: DataView): number {
    const size = uint32(payload, 4);
    const isSane = size > 0 && size <= MAX_RING_SIZE && (size & (size - 1)) === 0;
    if (!this.#isSettable(payload) || !isSane) return -errno.EINVAL;
    this.#size = size;
    return 0;
  }

  /** `index[4] flags[4] descriptors[8] used[8] available[8] log[8]` */
  setAddresses(payload: DataView): number {
    const [descriptors, used, available] = [uint64(payload, 8), uint64(payload, 16), uint64(payload, 24)];
    const isLogged = uint32(payload, 4) !== 0;
    if (!this.#isSettable(payload) || isLogged) return -errno.EINVAL;
    if (!areAligned({ descriptors, used, available })) return -errno.EINVAL;
    this.#addresses = { descriptors, used, available };
    return 0;
  }

  setBase(payload: DataView): number {
    const base = uint32(payload, 4);
    if (!this.#isSettable(payload) || base > 0xffff) return -errno.EINVAL;
    this.#base = base;
    return 0;
  }

  /** Stops the ring. @returns where it goes on */
  async takeBase(payload: DataView): Promise<Uint8Array | number> {
    if (uint32(payload, 0) !== 0) return -errno.EINVAL;
    await this.#stop();
    const reply = stableMemory(COUNTER_BYTES);
    new DataView(reply.buffer).setUint32(4, this.#base, littleEndian);
    return reply;
  }

  async setKick(message: FrontEndMessage): Promise<number> {
    const descriptor = takeDescriptor(message);
    if (descriptor === undefined || descriptor < 0) return -errno.EINVAL;
    await this.#queue.quiesce();
    this.#closeKick();
    if (!isWatchable(descriptor)) {
      this.#closer.close(descriptor);
      return -errno.EINVAL;
    }
    this.#kick = new Kick(descriptor, this.#kicked);
    return this.#start();
  }

  setCall(message: FrontEndMessage): number {
    const descriptor = takeDescriptor(message);
    if (descriptor === undefined) return -errno.EINVAL;
    this.#call = this.#replace(this.#call, descriptor);
    // it may have been told of what nobody heard
    this.tell();
    return 0;
  }

  setError(message: FrontEndMessage): number {
    const descriptor = takeDescriptor(message);
    if (descriptor === undefined) return -errno.EINVAL;
    this.#error = this.#replace(this.#error, descriptor);
    return 0;
  }

  async enable(payload: DataView): Promise<number> {
    if (uint32(payload, 0) !== 0) return -errno.EINVAL;
    this.#enabled = uint32(payload, 4) !== 0;
    if (this.#enabled) return this.#start();
    await this.#queue.quiesce();
    return 0;
  }

  async reset(): Promise<void> {
    await this.#stop();
    this.#enabled = false;
    this.#addresses = undefined;
    this.#size = this.#base = 0;
    this.#toldBase = undefined;
  }

  /** Changes memory while nobody looks at it. The ring goes on where it still is memory. */
  async whileQuiet(change: () => number): Promise<number> {
    const runs = this.#queue.isRunning;
    await this.#queue.quiesce();
    if (runs) this.#base = this.#queue.stop();
    const failed = change();
    const started = runs ? this.#start() : 0;
    return failed < 0 ? failed : started;
  }

  /** Nothing is under way: the next kick may be waited for without a turn of the event loop. */
  expect(): void {
    this.#wait.expect();
  }

  /** Tells the guest that it was given something. */
  tell(): void {
    this.#signal(this.#call);
  }

  /** Tells the front end that the guest broke the ring. */
  broken(): void {
    this.#signal(this.#error);
  }

  close(): void {
    this.#closeKick();
    this.#call = this.#replace(this.#call, -1);
    this.#error = this.#replace(this.#error, -1);
  }

  /** There is one ring, and it is set up while it does not work. */
  #isSettable(payload: DataView): boolean {
    return uint32(payload, 0) === 0 && !this.#queue.isRunning;
  }

  /** Begins when all is there that it takes. @returns 0, or -errno */
  #start(): number {
    if (this.#kick === undefined || !this.#enabled) return 0;
    if (this.#queue.isRunning) {
      this.#queue.resume();
      return 0;
    }
    const addresses = this.#translated();
    if (addresses === undefined) return -errno.EFAULT;
    if (this.#toldBase !== undefined && this.#toldBase !== this.#base) this.#restarted();
    this.#toldBase = undefined;
    this.#queue.start({
      addresses,
      size: this.#size,
      base: this.#base,
      hasEvents: (this.#features & EVENT_IDX) !== 0n,
      hasIndirect: (this.#features & INDIRECT) !== 0n,
    });
    this.#queue.resume();
    return 0;
  }

  #translated(): RingAddresses | undefined {
    if (this.#addresses === undefined || this.#size === 0) return undefined;
    const { descriptors, available, used } = this.#addresses;
    const place = {
      descriptors: this.#memory.ofFrontEnd(descriptors, descriptorBytes(this.#size)),
      available: this.#memory.ofFrontEnd(available, availableBytes(this.#size)),
      used: this.#memory.ofFrontEnd(used, usedBytes(this.#size)),
    };
    const isThere = Object.values(place).every((address) => address !== undefined);
    // a region may begin at any address of the front end's
    return isThere && areAligned(place as RingAddresses) ? (place as RingAddresses) : undefined;
  }

  /** What was taken is given back first. */
  async #stop(): Promise<void> {
    await this.#queue.quiesce();
    if (this.#queue.isRunning) this.#base = this.#queue.stop();
    this.#toldBase = this.#base;
    this.#closeKick();
  }

  readonly #kicked = (): void => {
    this.#wait.woken();
    if (this.#kick?.take() === true) this.#queue.drain();
  };

  #signal(descriptor: number | undefined): void {
    // one that takes no more has not been heard yet
    if (descriptor !== undefined) write(descriptor, this.#one, COUNTER_BYTES);
  }

  #closeKick(): void {
    this.#kick?.close();
    if (this.#kick !== undefined) this.#closer.close(this.#kick.descriptor);
    this.#kick = undefined;
  }

  /** @param descriptor -1 for none */
  #replace(before: number | undefined, descriptor: number): number | undefined {
    if (before !== undefined) this.#closer.close(before);
    if (descriptor < 0) return undefined;
    setNonBlocking(descriptor);
    return descriptor;
  }
}

/** As virtio wants it, and the processor for what is read and written at once. */
function areAligned({ descriptors, available, used }: RingAddresses): boolean {
  return descriptors % 16 === 0 && available % 2 === 0 && used % 4 === 0;
}

/** The descriptor of a message about the one ring, -1 where it says that there is none; undefined for a wrong message. */
function takeDescriptor({ payload, descriptors }: FrontEndMessage): number | undefined {
  const word = uint32(payload, 0);
  if ((word & RING_MASK) !== 0) return undefined;
  return (word & NO_DESCRIPTOR) === 0 ? descriptors.shift() : -1;
}
