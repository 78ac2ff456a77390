const PAGE = 4096;

/** Byte order of every struct: that of the architectures in `architecture.ts`. */
export const littleEndian = true;

/**
 * Memory at an address that stays the same, for libc to read and write.
 *
 * `Buffer.alloc` of a few bytes lives on V8's heap, which moves; an `ArrayBuffer` of a page or more never does.
 */
export function stableMemory(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(Math.max(size, PAGE)), 0, size);
}

/** The same memory as 32-bit words: how structs are read and written. */
export function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
}

/** Writes 64 bits, of which only some values are exact as a number. */
export function setInt64(view: DataView, at: number, value: number | bigint): void {
  if (typeof value === 'bigint') {
    view.setBigInt64(at, value, littleEndian);
  } else {
    view.setInt32(at, value, littleEndian);
    view.setInt32(at + 4, Math.floor(value / 0x1_0000_0000), littleEndian);
  }
}

/**
 * A NUL-terminated string for libc, from text that the program itself (not the client) made. The lone surrogates U+DC80
 * to U+DCFF stand for bytes that are no UTF-8: `cli/path-bytes.ts`.
 */
export function cString(text: string): Uint8Array {
  const encoded = bytesOfText(text);
  const bytes = stableMemory(encoded.length + 1);
  bytes.set(encoded);
  return bytes;
}

/** The bytes that a text stands for, without a NUL. */
export function bytesOfText(text: string): Buffer {
  const parts = text.split(/([\u{dc80}-\u{dcff}])/u);
  return Buffer.concat(
    parts.map((part, index) => (index % 2 === 0 ? Buffer.from(part) : Buffer.of(part.charCodeAt(0) & 0xff))),
  );
}
