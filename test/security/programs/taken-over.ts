/**
 * Loaded into every program of a helper before its own code, where it stands for code that takes over the serving one:
 * once the file `/attack` of the export is there, so after the change of root and under the filter, it tries what can be
 * done with the descriptors, and writes what came of it to `/result`. A mode is only ever set to what it is.
 */
import type koffiPackage from 'koffi';

/** As `bundleToLoad` makes it. */
declare const require: NodeJS.Require;

/** 0 or an errno each. */
export interface Reopened {
  readonly descriptor: number;
  readonly type: 'file' | 'device';
  /** Device and inode. */
  readonly file: string;
  readonly chmod: number;
  readonly openForWriting: number;
}

export interface Attack {
  readonly reopened: readonly Reopened[];
  /** 0 or an errno: of opening the host's root directory from the helper's own /proc/self/fd. */
  readonly wayOut: number;
}

const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const O_WRONLY = 1;
const O_RDONLY = 0;
const O_CREAT = 0o100;
const O_PATH = 0o10000000;
const BASIC_STATS = 0x7ff;
const PERIOD_MS = 20;
const MAX_DESCRIPTORS = 64;
const FILE = 0o100000;
const CHARACTER_DEVICE = 0o020000;

function takeOver(): void {
  const koffi = require('koffi') as typeof koffiPackage;
  const libc = koffi.load('libc.so.6');
  const call = (declaration: string): ((...values: unknown[]) => number) => {
    const called = libc.func(declaration) as (...values: unknown[]) => number;
    return (...values) => {
      const value = called(...values);
      return value < 0 ? -koffi.errno() : value;
    };
  };
  const openat = call('int openat(int, str, int, uint32_t)');
  const close = call('int close(int)');
  const fchmodat = call('int fchmodat(int, str, uint32_t, int)');
  const statx = call('int statx(int, str, int, uint32_t, void *)');
  const write = call('int64_t write(int, void *, size_t)');
  const opens = (directory: number, path: string, flags: number): number => {
    const descriptor = openat(directory, path, flags, 0);
    if (descriptor >= 0) close(descriptor);
    return Math.max(0, -descriptor);
  };
  const all = [...Array(MAX_DESCRIPTORS).keys()];

  const attack = (): void => {
    // the directory in which every descriptor has its number as its name
    const own = all.find(
      (descriptor) => opens(descriptor, '0', O_PATH) === 0 && opens(descriptor, '1', O_PATH) === 0,
    );
    if (own === undefined) throw new Error('the helper has no /proc/self/fd');
    const status = Buffer.alloc(256);
    const reopened = all.flatMap((descriptor): Reopened[] => {
      if (statx(descriptor, '', AT_EMPTY_PATH, BASIC_STATS, status) < 0) return [];
      const mode = status.readUInt16LE(28);
      const type = { [FILE]: 'file', [CHARACTER_DEVICE]: 'device' }[mode & 0o170000] as
        Reopened['type'] | undefined;
      if (type === undefined) return [];
      const file = `${status.readUInt32LE(136)}:${status.readUInt32LE(140)}:${status.readBigUInt64LE(32)}`;
      const same = mode & 0o7777;
      const name = String(descriptor);
      return [
        {
          descriptor,
          type,
          file,
          chmod: -fchmodat(own, name, same, 0),
          openForWriting: opens(own, name, O_WRONLY),
        },
      ];
    });
    const result: Attack = { reopened, wayOut: opens(own, '../../../etc/passwd', O_RDONLY) };
    const bytes = Buffer.from(`${JSON.stringify(result)}\n`);
    write(openat(AT_FDCWD, '/result', O_WRONLY | O_CREAT, 0o600), bytes, bytes.length);
  };
  const timer = setInterval(() => {
    if (opens(AT_FDCWD, '/attack', O_PATH) !== 0) return;
    clearInterval(timer);
    attack();
  }, PERIOD_MS);
}

if (process.argv[1]?.endsWith('/serve.js') === true) takeOver();
