/** Numbers of the vhost-user protocol, and what stands in its messages: docs/interop/vhost-user.rst of QEMU. */

export const requests = {
  getFeatures: 1,
  setFeatures: 2,
  setOwner: 3,
  resetOwner: 4,
  setMemTable: 5,
  setVringNum: 8,
  setVringAddr: 9,
  setVringBase: 10,
  getVringBase: 11,
  setVringKick: 12,
  setVringCall: 13,
  setVringErr: 14,
  getProtocolFeatures: 15,
  setProtocolFeatures: 16,
  getQueueNum: 17,
  setVringEnable: 18,
  setBackendReqFd: 21,
  getConfig: 24,
  setConfig: 25,
  resetDevice: 34,
  getMaxMemSlots: 36,
  addMemReg: 37,
  remMemReg: 38,
  setStatus: 39,
  getStatus: 40,
} as const;

/** `request[4] flags[4] size[4]` */
export const HEADER_BYTES = 12;
/** No message that is understood here has more. */
export const MAX_PAYLOAD_BYTES = 4096;
/** The version in the flags of a message, and bits beside it. */
export const VERSION = 1;
export const VERSION_MASK = 3;
export const REPLY = 4;
export const NEED_REPLY = 8;

/** Of the device: VIRTIO_9P_MOUNT_TAG, VIRTIO_RING_F_INDIRECT_DESC and _EVENT_IDX, VHOST_USER_F_PROTOCOL_FEATURES, and VIRTIO_F_VERSION_1. */
export const MOUNT_TAG = 1n << 0n;
export const INDIRECT = 1n << 28n;
export const EVENT_IDX = 1n << 29n;
export const PROTOCOL_FEATURES = 1n << 30n;
export const VERSION_1 = 1n << 32n;
export const FEATURES = MOUNT_TAG | INDIRECT | EVENT_IDX | PROTOCOL_FEATURES | VERSION_1;

/**
 * Of the protocol: MQ, REPLY_ACK, BACKEND_REQ, CONFIG, RESET_DEVICE, CONFIGURE_MEM_SLOTS, STATUS. Not INFLIGHT_SHMFD: it
 * lets a back end that ended go on, but with it have ended the fids of the guest.
 */
export const REPLY_ACK = 1n << 3n;
const BACKEND_REQ = 1n << 5n;
export const PROTOCOL =
  (1n << 0n) | REPLY_ACK | BACKEND_REQ | (1n << 9n) | (1n << 13n) | (1n << 15n) | (1n << 16n);

/** How many regions of memory there may be: in one message, and in all. */
export const MAX_TABLE_REGIONS = 8;
export const MAX_REGIONS = 64;
/** `offset[4] size[4] flags[4]`, then so many bytes of configuration at most. */
export const CONFIG_HEADER_BYTES = 12;
export const MAX_CONFIG_BYTES = 256;
/** A ring is no longer: the virtio specification. */
export const MAX_RING_SIZE = 32_768;

/** One part of the guest's memory, as the front end describes it. */
export interface RegionDescription {
  /** Where the guest has it. */
  readonly guest: number;
  readonly size: number;
  /** Where the front end has it: addresses of rings are such ones. */
  readonly user: number;
  /** Where it is in its file. */
  readonly offset: number;
}
export const REGION_BYTES = 32;

const littleEndian = true;

/** 64 bits as a number; Infinity for what none is exact for, which is no address and no size of anything. */
export function uint64(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, littleEndian);
  return high < 0x20_0000 ? high * 0x1_0000_0000 + view.getUint32(at, littleEndian) : Infinity;
}

export function uint32(view: DataView, at: number): number {
  return view.getUint32(at, littleEndian);
}

export function readRegion(view: DataView, at: number): RegionDescription {
  return {
    guest: uint64(view, at),
    size: uint64(view, at + 8),
    user: uint64(view, at + 16),
    offset: uint64(view, at + 24),
  };
}
