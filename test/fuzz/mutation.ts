/** Changes to the payload of a valid request. Structure-aware: they know where its fields are. */
import type { Random } from '../../harness/random.js';
import type { RequestName } from '../../harness/requests.js';
import { decode, MAX_PAYLOAD } from './layouts.js';

const lengths = [0, 1, 2, 0x7f, 0xff, 0x100, 4_095, 4_096, 0x7fff, 0x8000, 0xfffd, 0xfffe, 0xffff] as const;
const numbers = [
  0, 1, 2, 0x7f, 0x1ff, 0xfff, 4_095, 4_096, 0x7fff, 0xffff, 0x10000, 0x10001, 0x7ffffffe, 0x7fffffff,
  0x80000000, 0xfffffffe, 0xffffffff,
] as const;

type Mutation = (payload: Buffer, random: Random, name: RequestName) => Buffer;

const flipBit: Mutation = (payload, random) => {
  if (payload.length === 0) return payload;
  const at = random.below(payload.length);
  payload[at] = payload[at]! ^ (1 << random.below(8));
  return payload;
};

const setByte: Mutation = (payload, random) => {
  if (payload.length > 0)
    payload[random.below(payload.length)] = random.pick([0, 0x2e, 0x2f, 0x7f, 0x80, 0xff]);
  return payload;
};

/** Another length than the string has: the next fields are then read from elsewhere. */
const changeLength: Mutation = (payload, random, name) => {
  const strings = decode(name, payload).fields.filter(({ kind }) => kind === 's' || kind === 'v');
  if (strings.length === 0) return payload;
  const { at, bytes } = random.pick(strings);
  const near = [bytes.length + 1, Math.max(bytes.length - 1, 0), payload.length - at - 2];
  const length = random.chance(0.5) ? random.pick(near) : random.pick(lengths);
  payload.writeUInt16LE(length & 0xffff, at);
  return payload;
};

const changeNumber: Mutation = (payload, random, name) => {
  const fixed = decode(name, payload).fields.filter(({ kind }) => kind === 'd' || kind === 'q');
  if (fixed.length === 0) return payload;
  const { at, kind } = random.pick(fixed);
  payload.writeUInt32LE(random.chance(0.7) ? random.pick(numbers) : random.bits(), at);
  if (kind === 'q') payload.writeUInt32LE(random.chance(0.7) ? random.pick(numbers) : random.bits(), at + 4);
  return payload;
};

/** Where a field begins or ends, or anywhere. */
function place(payload: Buffer, random: Random, name: RequestName): number {
  const edges = decode(name, payload).fields.map(({ at }) => at);
  return random.chance(0.5) && edges.length > 0 ? random.pick(edges) : random.below(payload.length + 1);
}

const cut: Mutation = (payload, random, name) => payload.subarray(0, place(payload, random, name));

const append: Mutation = (payload, random) =>
  Buffer.concat([payload, random.bytes(random.chance(0.05) ? random.below(60_000) : random.below(40))]);

const insert: Mutation = (payload, random, name) => {
  const at = place(payload, random, name);
  return Buffer.concat([payload.subarray(0, at), random.bytes(1 + random.below(12)), payload.subarray(at)]);
};

const remove: Mutation = (payload, random, name) => {
  const at = place(payload, random, name);
  return Buffer.concat([payload.subarray(0, at), payload.subarray(at + 1 + random.below(8))]);
};

const repeat: Mutation = (payload, random) => {
  const from = random.below(payload.length + 1);
  const chunk = payload.subarray(from, from + 1 + random.below(64));
  return Buffer.concat([payload, chunk, chunk]);
};

const mutations: readonly Mutation[] = [
  flipBit,
  setByte,
  changeLength,
  changeLength,
  changeNumber,
  changeNumber,
  cut,
  append,
  insert,
  remove,
  repeat,
];

/** One to four changes, never longer than a request may be. */
export function mutate(payload: Buffer, random: Random, name: RequestName): Buffer {
  let changed: Buffer = Buffer.from(payload);
  for (let left = 1 + random.below(4); left > 0; left--) {
    changed = Buffer.from(random.pick(mutations)(changed, random, name));
  }
  return changed.subarray(0, MAX_PAYLOAD);
}
