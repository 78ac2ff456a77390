/** Messages of a client that means no good, or has gone mad: well-formed and meaningful, meaningless, or broken. */
import type { Random } from '../../harness/random.js';
import { encodeMessage, encodeStat } from '../../harness/ninep-codec.js';
import { type Dialect, type MessageName, messages, NOFID } from '../../harness/ninep-messages.js';

const NAMES = [
  'a',
  'b',
  'dir',
  'file',
  'link',
  '..',
  '.',
  '',
  'a/b',
  'x'.repeat(255),
  'x'.repeat(256),
  'new',
];
const FLAGS = [0, 1, 2, 0o100, 0o102, 0o1002, 0o2001, 0o302, 0o200000, 0o7777777, 0xffff_ffff];
const COUNTS = [0, 1, 11, 100, 4096, 60_000, 0x7fff_ffff, 0xffff_ffff];
const OFFSETS = [0n, 1n, 5n, 4096n, 2n ** 31n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];
const FIDS = 24;

const requests = (Object.keys(messages) as MessageName[]).filter(
  (name) => name.startsWith('T') && name !== 'Tlerror',
);
/** Those that keep a session interesting: the others end all that there is. */
const frequent: readonly MessageName[] = [
  'Twalk',
  'Tlopen',
  'Tlcreate',
  'Tread',
  'Treaddir',
  'Tclunk',
  'Tgetattr',
];

function fieldOf(random: Random, name: string, kind: string, dialect: Dialect): unknown {
  if (name === 'afid') return random.chance(0.9) ? NOFID : random.below(FIDS);
  if (name.endsWith('fid')) return random.chance(0.98) ? random.below(FIDS) : random.bits();
  if (name === 'count' || name === 'size') return random.pick(COUNTS);
  if (name === 'msize') return random.pick([8192, 65_536, 524_288, 4095, 0xffff_ffff]);
  if (name === 'version') return random.pick(['9P2000.L', '9P2000.u', '9P2000', '9P3', dialect]);
  if (name === 'flags') return random.pick(FLAGS);
  switch (kind) {
    case '1':
      return random.below(256);
    case '2':
      return random.below(random.chance(0.5) ? 64 : 0x1_0000);
    case '4':
      return random.chance(0.5) ? random.below(0o10000) : random.bits();
    case '8':
      return random.pick(OFFSETS);
    case 's':
      return random.pick(NAMES);
    case 'd':
      return random.bytes(random.below(random.chance(0.05) ? 8000 : 64));
    case 't':
      return {
        seconds: random.pick(OFFSETS) & (2n ** 63n - 1n),
        nanoseconds: random.pick(OFFSETS) & 0xffff_ffffn,
      };
    default:
      return undefined;
  }
}

/** @returns a frame; one in twenty is broken */
export function randomMessage(random: Random, dialect: Dialect, tag: number): Buffer {
  const name = random.chance(0.5) ? random.pick(frequent) : random.pick(requests);
  const [, base, extension] = messages[name];
  const fields: Record<string, unknown> = {};
  for (const spec of `${base} ${extension}`.split(' ').filter((part) => part !== '')) {
    const [field = '', kind = ''] = spec.split(':');
    fields[field] = fieldOf(random, field, kind, dialect);
    if (field === 'names') fields[field] = Array.from({ length: random.below(5) }, () => random.pick(NAMES));
    if (field === 'stat')
      fields[field] = encodeStat(dialect, random.chance(0.5) ? {} : { mode: random.below(0o1000) });
  }
  const frame = encodeMessage(dialect, name, tag, fields);
  if (!random.chance(0.05)) return frame;
  switch (random.below(4)) {
    case 0:
      frame[random.below(frame.length)] = random.below(256);
      return frame;
    case 1:
      return frame.subarray(0, Math.max(4, random.below(frame.length)));
    case 2:
      frame[4] = random.below(256);
      return frame;
    default:
      return Buffer.concat([frame, random.bytes(random.below(16))]);
  }
}
