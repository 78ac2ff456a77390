import * as errno from '../../abi/errno.js';
import { describeErrno } from '../../abi/errno-text.js';
import type { Refusals } from '../../observability/refusals.js';
import { littleEndian, stableMemory } from '../../syscalls/memory.js';
import type { StrangerCloser } from '../../syscalls/stranger.js';
import type { FrontEndMessage } from './front-end.js';
import type { GuestMemory } from './guest-memory.js';
import {
  CONFIG_HEADER_BYTES,
  FEATURES,
  MAX_CONFIG_BYTES,
  MAX_REGIONS,
  MAX_TABLE_REGIONS,
  NEED_REPLY,
  PROTOCOL,
  readRegion,
  REGION_BYTES,
  REPLY_ACK,
  requests,
  uint32,
} from './protocol.js';
import type { Vring } from './vring.js';

/** What comes of a message: a reply's payload, or 0 or -errno of one that has no reply of its own. */
type Outcome = Uint8Array | number;
type Handler = (message: FrontEndMessage) => Outcome | Promise<Outcome>;

export interface DeviceParts {
  readonly memory: GuestMemory;
  readonly vring: Vring;
  readonly closer: StrangerCloser;
  readonly tag: string;
  readonly refusals: Refusals;
  /** Ends what the guest has open. */
  readonly restart: () => void;
}

/** What the device is to the front end: requests that concern no ring, and the table of all. */
export class Device {
  readonly #memory: GuestMemory;
  readonly #vring: Vring;
  readonly #closer: StrangerCloser;
  readonly #refusals: Refusals;
  readonly #config = new Uint8Array(MAX_CONFIG_BYTES);
  readonly #restart: () => void;
  #protocolFeatures = 0n;
  #status = 0;
  /** The front end waits at its other end as long as there is one. */
  #backendChannel: number | undefined;

  constructor({ memory, vring, closer, tag, refusals, restart }: DeviceParts) {
    this.#memory = memory;
    this.#vring = vring;
    this.#closer = closer;
    this.#refusals = refusals;
    this.#restart = restart;
    const name = Buffer.from(tag);
    new DataView(this.#config.buffer).setUint16(0, name.length, littleEndian);
    this.#config.set(name, 2);
  }

  /** Carries out a message. @returns its reply, or undefined where there is none */
  async handle(message: FrontEndMessage): Promise<Uint8Array | undefined> {
    const handler = this.#handlers.get(message.request);
    const outcome = handler === undefined ? -errno.EOPNOTSUPP : await handler(message);
    if (typeof outcome !== 'number') return outcome;
    if (outcome < 0)
      this.#refusals.report(
        'refused what the emulator asked',
        { request: message.request, reason: describeErrno(outcome) },
        'error',
      );
    const isAsked = (message.flags & NEED_REPLY) !== 0 && (this.#protocolFeatures & REPLY_ACK) !== 0n;
    return isAsked ? uint64Bytes(outcome < 0 ? 1n : 0n) : undefined;
  }

  /** There is no front end any more. */
  close(): void {
    if (this.#backendChannel !== undefined) this.#closer.close(this.#backendChannel);
    this.#backendChannel = undefined;
  }

  readonly #handlers = new Map<number, Handler>([
    [requests.getFeatures, () => uint64Bytes(FEATURES)],
    [
      requests.setFeatures,
      sized(8, ({ payload }) => this.#vring.agree(payload.getBigUint64(0, littleEndian))),
    ],
    [requests.setOwner, () => 0],
    [requests.resetOwner, () => 0],
    [requests.getProtocolFeatures, () => uint64Bytes(PROTOCOL)],
    [
      requests.setProtocolFeatures,
      sized(8, ({ payload }) => {
        this.#protocolFeatures = payload.getBigUint64(0, littleEndian);
        return (this.#protocolFeatures & ~PROTOCOL) === 0n ? 0 : -errno.EINVAL;
      }),
    ],
    [requests.getQueueNum, () => uint64Bytes(1n)],
    [requests.getMaxMemSlots, () => uint64Bytes(BigInt(MAX_REGIONS))],
    [requests.setMemTable, (message) => this.#setMemory(message)],
    [requests.addMemReg, sized(8 + REGION_BYTES, (message) => this.#addRegion(message))],
    [requests.remMemReg, sized(8 + REGION_BYTES, ({ payload }) => this.#removeRegion(payload))],
    [requests.setBackendReqFd, (message) => this.#keepChannel(message)],
    [requests.getConfig, (message) => this.#getConfig(message)],
    // nothing of it can be written
    [requests.setConfig, () => 0],
    [requests.resetDevice, () => this.#reset()],
    [
      requests.setStatus,
      sized(8, ({ payload }) => {
        this.#status = uint32(payload, 0) & 0xff;
        return 0;
      }),
    ],
    [requests.getStatus, () => uint64Bytes(BigInt(this.#status))],
    [requests.setVringNum, sized(8, ({ payload }) => this.#vring.setSize(payload))],
    [requests.setVringAddr, sized(40, ({ payload }) => this.#vring.setAddresses(payload))],
    [requests.setVringBase, sized(8, ({ payload }) => this.#vring.setBase(payload))],
    [requests.getVringBase, sized(8, ({ payload }) => this.#vring.takeBase(payload))],
    [requests.setVringKick, sized(8, (message) => this.#vring.setKick(message))],
    [requests.setVringCall, sized(8, (message) => this.#vring.setCall(message))],
    [requests.setVringErr, sized(8, (message) => this.#vring.setError(message))],
    [requests.setVringEnable, sized(8, ({ payload }) => this.#vring.enable(payload))],
  ]);

  async #setMemory({ payload, descriptors }: FrontEndMessage): Promise<number> {
    const count = payload.byteLength >= 8 ? uint32(payload, 0) : 0;
    const isSane = count <= MAX_TABLE_REGIONS && payload.byteLength >= 8 + count * REGION_BYTES;
    if (!isSane || descriptors.length !== count) return -errno.EINVAL;
    return this.#vring.whileQuiet(() => {
      this.#memory.clear();
      for (const [nth, descriptor] of descriptors.entries()) {
        const failed = this.#memory.add(readRegion(payload, 8 + nth * REGION_BYTES), descriptor);
        if (failed < 0) return failed;
      }
      return 0;
    });
  }

  #addRegion({ payload, descriptors }: FrontEndMessage): number {
    const [descriptor, ...more] = descriptors;
    if (descriptor === undefined || more.length > 0) return -errno.EINVAL;
    return this.#memory.add(readRegion(payload, 8), descriptor);
  }

  #removeRegion(payload: DataView): Promise<number> {
    return this.#vring.whileQuiet(() => this.#memory.remove(readRegion(payload, 8)));
  }

  #keepChannel({ descriptors }: FrontEndMessage): number {
    const channel = descriptors.shift();
    if (channel === undefined) return -errno.EINVAL;
    // the one before goes with the message
    if (this.#backendChannel !== undefined) descriptors.push(this.#backendChannel);
    this.#backendChannel = channel;
    return 0;
  }

  /** @returns the message with the bytes that were asked for, or no bytes where there are none such */
  #getConfig({ payload }: FrontEndMessage): Uint8Array {
    const reply = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    if (payload.byteLength < CONFIG_HEADER_BYTES) return new Uint8Array();
    const [offset, size] = [uint32(payload, 0), uint32(payload, 4)];
    if (offset + size > MAX_CONFIG_BYTES) return new Uint8Array();
    const header = reply.subarray(0, CONFIG_HEADER_BYTES);
    return Buffer.concat([header, this.#config.subarray(offset, offset + size)]);
  }

  async #reset(): Promise<number> {
    await this.#vring.reset();
    this.#status = 0;
    this.#restart();
    return 0;
  }
}

/** A handler of messages with a payload of that size; some front ends always send all that there is room for. */
function sized(bytes: number, handler: Handler): Handler {
  return (message) => (message.payload.byteLength >= bytes ? handler(message) : -errno.EINVAL);
}

function uint64Bytes(value: bigint): Uint8Array {
  const bytes = stableMemory(8);
  new DataView(bytes.buffer).setBigUint64(0, value, littleEndian);
  return bytes;
}
