/**
 * The bytes of one request or reply: a header of `type` and `size` (32 bits each, host byte order), then `size` bytes
 * of payload. Source: QEMU, hw/9pfs/9p-proxy.h.
 */
export const HEADER_BYTES = 8;
export const MAX_PAYLOAD_BYTES = 65_536;
export const MAX_FRAME_BYTES = HEADER_BYTES + MAX_PAYLOAD_BYTES;

/** The only host byte order that this program supports, x64 and arm64. */
const littleEndian = true;

/** A frame in memory, with the views that reading and writing it needs. The memory is 4-byte aligned. */
export class Frame {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get type(): number {
    return this.words[0] ?? 0;
  }

  /** Bytes of payload as the header says, not yet checked. */
  get payloadBytes(): number {
    return (this.words[1] ?? 0) >>> 0;
  }

  uint16(at: number): number {
    return this.view.getUint16(at, littleEndian);
  }

  uint32(at: number): number {
    return this.view.getUint32(at, littleEndian);
  }

  int32(at: number): number {
    return this.view.getInt32(at, littleEndian);
  }

  /** A bigint only where a number would not be exact. */
  int64(at: number): number | bigint {
    const high = this.view.getInt32(at + 4, littleEndian);
    if (high >= -0x200000 && high < 0x200000) {
      return high * 0x1_0000_0000 + this.view.getUint32(at, littleEndian);
    }
    return this.view.getBigInt64(at, littleEndian);
  }

  /** The same for what is never negative. */
  uint64(at: number): number | bigint {
    const high = this.view.getUint32(at + 4, littleEndian);
    if (high < 0x200000) return high * 0x1_0000_0000 + this.view.getUint32(at, littleEndian);
    return this.view.getBigUint64(at, littleEndian);
  }

  setUint16(at: number, value: number): void {
    this.view.setUint16(at, value, littleEndian);
  }

  /** Also for negative numbers, which look the same in 32 bits. */
  setUint32(at: number, value: number): void {
    this.view.setUint32(at, value, littleEndian);
  }

  setInt64(at: number, value: number | bigint): void {
    if (typeof value === 'bigint') {
      this.view.setBigInt64(at, value, littleEndian);
    } else {
      this.view.setInt32(at, value, littleEndian);
      this.view.setInt32(at + 4, Math.floor(value / 0x1_0000_0000), littleEndian);
    }
  }
}

/** A run of bytes inside a frame: a path, a name, a value. Valid until the next request. */
export class ByteSpan {
  readonly frame: Uint8Array;
  start = 0;
  length = 0;

  constructor(frame: Uint8Array) {
    this.frame = frame;
  }
}
