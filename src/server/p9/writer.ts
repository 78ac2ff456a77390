/**
 * Writes fields into memory and never past its end. The first that does not fit sets `overflow`, which stays: nothing is
 * written from then on, so that the caller looks once, at the end.
 */
export class Writer {
  overflow = false;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bytes written. */
  get length(): number {
    return this.#at;
  }

  /** Forgets what was written after so many bytes, and that something did not fit. */
  rewind(length: number): void {
    this.#at = length;
    this.overflow = false;
  }

  uint8(value: number): void {
    const at = this.#take(1);
    if (at >= 0) this.#bytes[at] = value;
  }

  uint16(value: number): void {
    const at = this.#take(2);
    if (at < 0) return;
    this.#bytes[at] = value;
    this.#bytes[at + 1] = value >>> 8;
  }

  uint32(value: number): void {
    const at = this.#take(4);
    if (at >= 0) this.uint32At(at, value);
  }

  /** 64 bits, of a number or bigint with or without a sign. */
  uint64(value: number | bigint): void {
    const at = this.#take(8);
    if (at < 0) return;
    if (typeof value === 'number') {
      this.uint32At(at, value);
      this.uint32At(at + 4, Math.floor(value / 0x1_0000_0000));
    } else {
      this.uint32At(at, Number(BigInt.asUintN(32, value)));
      this.uint32At(at + 4, Number(BigInt.asUintN(32, value >> 32n)));
    }
  }

  bytes(value: Uint8Array): void {
    const at = this.#take(value.length);
    if (at >= 0) this.#bytes.set(value, at);
  }

  /** A string that is longer than its length field can say does not fit either. */
  string(value: Uint8Array): void {
    if (value.length > 0xffff) this.overflow = true;
    this.uint16(value.length);
    this.bytes(value);
  }

  /** Sets a 16-bit length that stands at `at` to what was written after it. */
  length16(at: number): void {
    const length = this.#at - at - 2;
    if (length > 0xffff) this.overflow = true;
    if (this.overflow) return;
    this.#bytes[at] = length;
    this.#bytes[at + 1] = length >>> 8;
  }

  /** Sets 32 bits that are written already. */
  uint32At(at: number, value: number): void {
    this.#bytes[at] = value;
    this.#bytes[at + 1] = value >>> 8;
    this.#bytes[at + 2] = value >>> 16;
    this.#bytes[at + 3] = value >>> 24;
  }

  #take(length: number): number {
    const at = this.#at;
    if (this.overflow || length > this.#bytes.length - at) {
      this.overflow = true;
      return -1;
    }
    this.#at = at + length;
    return at;
  }
}
