/**
 * Bytes of requests, put together here from the tables of the protocol with nothing of `src/`: what the decoder is
 * checked against.
 */
export const uint16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
};

export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
};

export const int64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
};

export const string = (bytes: Buffer): Buffer => Buffer.concat([uint16(bytes.length), bytes]);

export const frame = (type: number, ...payload: Buffer[]): Buffer => {
  const body = Buffer.concat(payload);
  return Buffer.concat([uint32(type), uint32(body.length), body]);
};
