/**
 * Reads fields out of a frame, each read checked. The first that would pass the end sets `overrun`, which stays: all
 * that is read from then on is 0 or empty, so that the caller looks once, at the end.
 */
export class Reader {
  overrun = false;
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  /** @param start where to begin, inside `bytes` */
  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    this.#end = bytes.length;
    this.#at = start;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  uint8(): number {
    const at = this.#take(1);
    return at < 0 ? 0 : this.#byte(at);
  }

  uint16(): number {
    const at = this.#take(2);
    return at < 0 ? 0 : this.#byte(at) | (this.#byte(at + 1) << 8);
  }

  uint32(): number {
    const at = this.#take(4);
    return at < 0 ? 0 : this.#word(at) >>> 0;
  }

  /** A bigint only where a number would not be exact. */
  uint64(): number | bigint {
    const at = this.#take(8);
    if (at < 0) return 0;
    const low = this.#word(at) >>> 0;
    const high = this.#word(at + 4) >>> 0;
    return high < 0x20_0000 ? high * 0x1_0000_0000 + low : (BigInt(high) << 32n) | BigInt(low);
  }

  /** The same with a sign. */
  int64(): number | bigint {
    const at = this.#take(8);
    if (at < 0) return 0;
    const low = this.#word(at) >>> 0;
    const high = this.#word(at + 4);
    if (high >= -0x20_0000 && high < 0x20_0000) return high * 0x1_0000_0000 + low;
    return (BigInt(high) << 32n) | BigInt(low);
  }

  /** So many bytes, not copied. Nothing is allocated for a length that the frame does not have. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return at < 0 ? NOTHING : this.#bytes.subarray(at, at + length);
  }

  string(): Uint8Array {
    return this.bytes(this.uint16());
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) {
      this.overrun = true;
      this.#at = this.#end;
      return -1;
    }
    this.#at = at + length;
    return at;
  }

  #byte(at: number): number {
    return this.#bytes[at] ?? 0;
  }

  #word(at: number): number {
    return (
      this.#byte(at) | (this.#byte(at + 1) << 8) | (this.#byte(at + 2) << 16) | (this.#byte(at + 3) << 24)
    );
  }
}

const NOTHING = new Uint8Array(0);
