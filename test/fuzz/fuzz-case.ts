/** The bytes of one case: a function of the seed and its number alone. */
import { Random } from '../../harness/random.js';
import { frame, requestNames, requestTypes } from '../../harness/requests.js';
import { HEADER, MAX_PAYLOAD } from './layouts.js';
import { mutate } from './mutation.js';
import { validRequest } from './valid-requests.js';

export type CaseKind = 'valid' | 'mutated' | 'retyped' | 'noise' | 'burst' | 'violation' | 'partial' | 'raw';

export interface FuzzCase {
  readonly kind: CaseKind;
  readonly bytes: Buffer;
  /** Where the bytes are cut into several writes. */
  readonly cuts: readonly number[];
}

/** Cases after which the helper ends and a new one starts, which takes longer than a thousand others. */
const ENDING = 1 / 2_000;

function mutated(random: Random): Buffer {
  const name = random.pick(requestNames);
  const payload = validRequest(name, random).subarray(HEADER);
  return frame(requestTypes[name], mutate(payload, random, name));
}

/** The payload of one type of request under the number of another. */
function retyped(random: Random): Buffer {
  const bytes = validRequest(random.pick(requestNames), random);
  bytes.writeUInt32LE(requestTypes[random.pick(requestNames)], 0);
  return bytes;
}

function noise(random: Random): Buffer {
  const length = random.chance(0.02) ? random.below(MAX_PAYLOAD + 1) : random.below(64);
  return frame(requestTypes[random.pick(requestNames)], random.bytes(length));
}

/** Several requests in one write, of which QEMU never makes use. */
function burst(random: Random): Buffer {
  return Buffer.concat(
    Array.from({ length: 2 + random.below(31) }, () =>
      random.chance(0.5) ? mutated(random) : validRequest(random.pick(requestNames), random),
    ),
  );
}

function violation(random: Random): Buffer {
  const bytes = mutated(random);
  if (random.chance(0.5))
    bytes.writeUInt32LE(random.pick([0, 1, 22, 23, 255, 0x102, 0x80000008, 0xffffffff]), 0);
  else bytes.writeUInt32LE(random.pick([MAX_PAYLOAD + 1, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff]), 4);
  return bytes;
}

function partial(random: Random): Buffer {
  const bytes = mutated(random);
  return bytes.subarray(0, 1 + random.below(bytes.length - 1));
}

const makers: Readonly<Record<CaseKind, (random: Random) => Buffer>> = {
  valid: (random) => validRequest(random.pick(requestNames), random),
  mutated,
  retyped,
  noise,
  burst,
  violation,
  partial,
  raw: (random) => random.bytes(1 + random.below(200)),
};

function kindOf(random: Random): CaseKind {
  if (random.chance(ENDING)) return random.pick(['violation', 'partial', 'raw']);
  const choice = random.below(100);
  if (choice < 28) return 'valid';
  if (choice < 63) return 'mutated';
  if (choice < 68) return 'retyped';
  return choice < 74 ? 'noise' : 'burst';
}

/** Two numbers to one: neighbouring cases must have nothing in common. */
function randomOf(seed: number, index: number): Random {
  const mixed = new Random(Math.imul(seed, 0x9e3779b1) ^ index);
  return new Random(mixed.bits() ^ Math.imul(index, 0x85ebca6b));
}

export function fuzzCase(seed: number, index: number): FuzzCase {
  const random = randomOf(seed, index);
  const kind = kindOf(random);
  const bytes = makers[kind](random);
  const cuts = random.chance(0.05)
    ? Array.from({ length: 1 + random.below(3) }, () => random.below(bytes.length)).sort((a, b) => a - b)
    : [];
  return { kind, bytes, cuts };
}
