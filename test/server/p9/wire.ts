/** Bytes of 9P as a test writes them by hand, apart from the code under test. */

export const u8 = (value: number): Buffer => Buffer.from([value]);

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return bytes;
}

export function str(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([u16(bytes.length), bytes]);
}

/** A qid of type, version and path. */
export const qid = (type: number, version: number, path: number | bigint): Buffer =>
  Buffer.concat([u8(type), u32(version), u64(path)]);

/** A whole message with its size. */
export function message(number: number, tag: number, ...fields: readonly Buffer[]): Buffer {
  const rest = Buffer.concat([u8(number), u16(tag), ...fields]);
  return Buffer.concat([u32(4 + rest.length), rest]);
}

/** The same bytes, without the last ones, under a size that is right again. */
export function cut(frame: Buffer, length: number): Buffer {
  const shorter = Buffer.from(frame.subarray(0, length));
  if (length >= 4) shorter.writeUInt32LE(length);
  return shorter;
}

/** With bytes after the last field, under a size that is right again. */
export function extended(frame: Buffer, bytes: Buffer): Buffer {
  return cut(Buffer.concat([frame, bytes]), frame.length + bytes.length);
}
