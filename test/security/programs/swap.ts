/**
 * Swaps names at full speed until it is killed: a host process, or another guest, that races with the helper.
 * The only argument is JSON, see `SwapPlan`.
 */
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  renameSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import koffi from 'koffi';

/** What is at a path before the swapping starts, and again when somebody removed it. */
export interface Side {
  readonly path: string;
  readonly kind: 'directory' | 'file' | 'symlink' | 'fifo';
  readonly target?: string;
  /** Files and directories (with a final slash) to make in a directory. */
  readonly content?: readonly string[];
}

export interface SwapPlan {
  /** Both names exchanged in one step (RENAME_EXCHANGE). */
  readonly exchange: readonly (readonly [Side, Side])[];
  /** One directory that is moved there and back. */
  readonly move: readonly (readonly [from: string, to: string])[];
  /** A directory for what is in the way of a repair. */
  readonly attic: string;
  /** A file that holds the number of swaps, 8 bytes. */
  readonly counter: string;
}

const libc = koffi.load('libc.so.6');
const renameat2 = libc.func('int renameat2(int, void *, int, void *, uint32_t)') as (
  oldDirectory: number,
  oldPath: Buffer,
  newDirectory: number,
  newPath: Buffer,
  flags: number,
) => number;
const mkfifo = libc.func('int mkfifo(str, uint32_t)') as (path: string, mode: number) => number;
const prctl = libc.func('int prctl(int, uint64_t)') as (option: number, value: number) => number;

const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;
const REPORT_EVERY = 1_024;

const plan = JSON.parse(process.argv[1] ?? '') as SwapPlan;
const cString = (text: string): Buffer => Buffer.from(`${text}\0`);
let attic = 0;

function make({ path, kind, target = '', content = [] }: Side): void {
  if (kind === 'symlink') symlinkSync(target, path);
  else if (kind === 'fifo') mkfifo(path, 0o666);
  else if (kind === 'file') writeFileSync(path, 'inside');
  else {
    mkdirSync(path);
    for (const name of content) {
      if (name.endsWith('/')) mkdirSync(`${path}/${name}`);
      else writeFileSync(`${path}/${name}`, 'inside');
    }
  }
}

/** Somebody removed or moved one of the two. Nothing is deleted here: a recursive removal could be raced as well. */
function repair(sides: readonly [Side, Side]): void {
  for (const side of sides) {
    try {
      renameSync(side.path, `${plan.attic}/${attic++}`);
    } catch {
      // it is the one that is not there
    }
    try {
      make(side);
    } catch {
      // the client was faster; the next round tries again
    }
  }
}

prctl(PR_SET_PDEATHSIG, SIGKILL);
const counter = openSync(plan.counter, constants.O_WRONLY | constants.O_CREAT, 0o600);
process.on('exit', () => {
  closeSync(counter);
});
const exchanges = plan.exchange.map((sides) => ({
  sides,
  one: cString(sides[0].path),
  other: cString(sides[1].path),
}));
const moves = plan.move.map(([from, to]) => [cString(from), cString(to)] as const);
for (const { sides } of exchanges) repair(sides);
process.stdout.write('ready\n');

const total = Buffer.alloc(8);
for (let swaps = 0; ;) {
  for (const { sides, one, other } of exchanges) {
    if (renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) < 0) repair(sides);
    else swaps++;
  }
  for (const [from, to] of moves) {
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, 0) === 0) swaps++;
    renameat2(AT_FDCWD, to, AT_FDCWD, from, 0);
  }
  if (swaps % REPORT_EVERY < exchanges.length + moves.length) {
    total.writeDoubleLE(swaps);
    writeSync(counter, total, 0, 8, 0);
  }
}
