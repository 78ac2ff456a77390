import fs from 'node:fs';
import path from 'node:path';
import { type Frame, frame } from './client.js';

/** Requests that a guest makes together, one after the other, and what is measured as one. */
export interface Action {
  readonly name: string;
  readonly frames: readonly Frame[];
}

const O_RDONLY = 0;
const O_RDWR = 2;
const DATA_BYTES = 61_440;
const LISTING_BYTES = 8192;
const ENTRIES = 64;

/** The fids that stay, and one that comes and goes. */
const ROOT = 0;
const FILE = 1;
const OPEN_FILE = 2;
const OPEN_DIRECTORY = 3;
const PASSING = 9;

const walk = (newfid: number, ...names: readonly string[]): Frame =>
  frame('Twalk', { fid: ROOT, newfid, names: names });
const open = (fid: number, flags: number): Frame => frame('Tlopen', { fid, flags });
const clunk = (fid: number): Frame => frame('Tclunk', { fid });

/** Lays out what the actions work on. */
export function fill(exported: string): void {
  const directory = path.join(exported, 'directory');
  fs.mkdirSync(directory);
  for (let entry = 0; entry < ENTRIES; entry++) fs.writeFileSync(path.join(directory, `entry-${entry}`), '');
  fs.writeFileSync(path.join(exported, 'data'), Buffer.alloc(DATA_BYTES, 'x'));
}

/** What a client does first, once. */
export const preparation: readonly Frame[] = [
  walk(FILE, 'data'),
  walk(OPEN_FILE, 'data'),
  open(OPEN_FILE, O_RDWR),
  walk(OPEN_DIRECTORY, 'directory'),
  open(OPEN_DIRECTORY, O_RDONLY),
  frame('Tgetattr', { fid: FILE, mask: 0x7ffn }),
];

export const actions: readonly Action[] = [
  { name: 'getattr', frames: [frame('Tgetattr', { fid: FILE, mask: 0x7ffn })] },
  { name: 'walk, clunk', frames: [walk(PASSING, 'data'), clunk(PASSING)] },
  {
    name: 'lookup (walk, getattr, clunk)',
    frames: [walk(PASSING, 'data'), frame('Tgetattr', { fid: PASSING, mask: 0x7ffn }), clunk(PASSING)],
  },
  {
    name: 'open, close (walk, lopen, clunk)',
    frames: [
      frame('Twalk', { fid: FILE, newfid: PASSING, names: [] }),
      open(PASSING, O_RDONLY),
      clunk(PASSING),
    ],
  },
  { name: 'read 60 KiB', frames: [frame('Tread', { fid: OPEN_FILE, offset: 0n, count: DATA_BYTES })] },
  {
    name: 'write 60 KiB',
    frames: [frame('Twrite', { fid: OPEN_FILE, offset: 0n, data: Buffer.alloc(DATA_BYTES, 'y') })],
  },
  {
    name: 'readdir (64 entries)',
    frames: [frame('Treaddir', { fid: OPEN_DIRECTORY, offset: 0n, count: LISTING_BYTES })],
  },
];
