/**
 * The request decoder alone, in this process, against a second one written from the protocol's table.
 *
 *   VIRTFS_FUZZ_SEED     where the random stream begins (1)
 *   VIRTFS_FUZZ_DECODES  how many payloads (300000)
 */
import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { ByteSpan, Frame, MAX_FRAME_BYTES } from '../../src/proxy-protocol/frame.js';
import { RequestDecoder } from '../../src/proxy-protocol/decoder.js';
import { requests } from '../../src/proxy-protocol/requests.js';
import { countFrom } from '../../harness/root-only.js';
import type { RequestName } from '../../harness/requests.js';
import { fuzzCase } from './fuzz-case.js';
import { decode, type Field, HEADER, split } from './layouts.js';

const seed = countFrom('VIRTFS_FUZZ_SEED', 1);
const count = countFrom('VIRTFS_FUZZ_DECODES', 300_000);
const GUARD = 0xa5;
const BEHIND = 64;

const frame = new Frame(new Uint8Array(new ArrayBuffer(MAX_FRAME_BYTES + BEHIND)));
const bytes = Buffer.from(frame.bytes.buffer);
const decoders = new Map(
  Object.entries(requests).map(([name, layout]) => [name.toUpperCase(), new RequestDecoder(layout, frame)]),
);

/** A decoded field as its bytes on the wire. */
function onWire(value: number | bigint | ByteSpan, { kind }: Field): Buffer | string {
  if (value instanceof ByteSpan) {
    if (value.start < HEADER || value.start + value.length > MAX_FRAME_BYTES) return 'outside the frame';
    return Buffer.from(value.frame.subarray(value.start, value.start + value.length));
  }
  const wire = Buffer.alloc(kind === 'q' ? 8 : 4);
  if (kind === 'q') wire.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  else wire.writeUInt32LE(Number(value) >>> 0);
  return wire;
}

function problem(name: RequestName, payload: Buffer): string | undefined {
  // what follows the payload looks like more of it, so that reading on shows
  const end = HEADER + payload.length;
  bytes.fill(GUARD, 0, HEADER);
  bytes.fill(GUARD, end, end + BEHIND);
  payload.copy(bytes, HEADER);
  const used = bytes.subarray(0, end + BEHIND);
  const before = Buffer.from(used);
  const decoder = decoders.get(name)!;
  const expected = decode(name, payload);
  const result = decoder.decode(payload.length);
  if (!used.equals(before)) return 'the frame was changed';
  const error = expected.error === undefined ? 0 : -constants.errno[expected.error];
  if (result !== error) return `${result} instead of ${error}`;
  if (result < 0) return undefined;
  const values = Object.values(decoder.request);
  for (const [index, field] of expected.fields.entries()) {
    const wire = onWire(values[index]!, field);
    if (typeof wire === 'string') return wire;
    if (!wire.equals(field.bytes))
      return `field ${index}: ${wire.toString('hex')} instead of ${field.bytes.toString('hex')}`;
  }
  return undefined;
}

describe('the request decoder', () => {
  it(
    `agrees with the protocol's table on ${count} payloads (seed ${seed})`,
    { timeout: 3_600_000 },
    async () => {
      let decoded = 0;
      let refused = 0;
      for (let index = 0; decoded < count; index++) {
        for (const { name, payload } of split(fuzzCase(seed, index).bytes).frames) {
          decoded++;
          if (decode(name, payload).error !== undefined) refused++;
          const wrong = problem(name, payload);
          expect(
            wrong,
            `VIRTFS_FUZZ_SEED=${seed}, case ${index}, ${name} ${payload.toString('hex', 0, 400)}`,
          ).toBeUndefined();
        }
        if (index % 10_000 === 0) await new Promise(setImmediate);
      }
      console.log(`${decoded} payloads decoded, ${refused} of them refused`);
      expect(refused).toBeGreaterThan(decoded / 20);
      expect(refused).toBeLessThan(decoded * 0.8);
    },
  );
});
