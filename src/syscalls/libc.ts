import type koffiPackage from 'koffi';
import { loadPackage } from '../native/load.js';

/**
 * libc through koffi. A pointer is a `Uint8Array` over memory that does not move (see `memory.ts`), so passing one
 * allocates nothing; or its address, made once, which takes a third less time. Results follow the kernel's own
 * convention: a negative number is a negated errno.
 */
const koffi = loadPackage('koffi') as typeof koffiPackage;
const libc = koffi.load(null);

/** Memory that does not move, or its address. */
export type Pointer = Uint8Array | bigint;

interface ArgumentTypes {
  int: number;
  uint32: number;
  int64: number | bigint;
  'void *': Pointer | null;
}

type Types = readonly (keyof ArgumentTypes)[];
type Values<Arguments extends Types> = { [Index in keyof Arguments]: ArgumentTypes[Arguments[Index]] };

type Call = (...values: unknown[]) => number;

/** Declares a libc function that returns a `long`; where that is negative, a negated errno. */
export function declare<const Arguments extends Types>(
  name: string,
  ...types: Arguments
): (...values: Values<Arguments>) => number {
  return withErrno(libc.func(name, 'int64', [...types]), types.length);
}

/** Declares a libc function that returns an `int`: only 32 bits of its result register count. */
export function declareInt<const Arguments extends Types>(
  name: string,
  ...types: Arguments
): (...values: Values<Arguments>) => number {
  return withErrno(libc.func(name, 'int', [...types]), types.length);
}

/** Declares a function that only some C libraries have, and that takes and returns a number; elsewhere it does nothing. */
export function declareWhereThere(name: string): (value: number) => number {
  try {
    return libc.func(name, 'int', ['int64']) as (value: number) => number;
  } catch {
    return () => 0;
  }
}

/** Declares a function that tells nothing by errno. */
export function declareWithoutErrno<const Arguments extends Types>(
  returned: 'int' | 'int64',
  name: string,
  ...types: Arguments
): (...values: Values<Arguments>) => number {
  return libc.func(name, returned, [...types]);
}

/**
 * Turns libc's "-1 and errno" into a negated errno. Nothing may come between the call and the look at errno: where a
 * function begins, V8 may do work of its own that changes it. So there is one body for each number of arguments.
 */
function withErrno(call: Call, count: number): (...values: readonly unknown[]) => number {
  const { errno } = koffi;
  // rest parameters would be an array made for each call
  /* eslint-disable max-params */
  switch (count) {
    case 0:
      return () => {
        const value = call();
        return value < 0 ? -errno() : value;
      };
    case 1:
      return (a) => {
        const value = call(a);
        return value < 0 ? -errno() : value;
      };
    case 2:
      return (a, b) => {
        const value = call(a, b);
        return value < 0 ? -errno() : value;
      };
    case 3:
      return (a, b, c) => {
        const value = call(a, b, c);
        return value < 0 ? -errno() : value;
      };
    case 4:
      return (a, b, c, d) => {
        const value = call(a, b, c, d);
        return value < 0 ? -errno() : value;
      };
    case 5:
      return (a, b, c, d, e) => {
        const value = call(a, b, c, d, e);
        return value < 0 ? -errno() : value;
      };
    case 6:
      return (a, b, c, d, e, f) => {
        const value = call(a, b, c, d, e, f);
        return value < 0 ? -errno() : value;
      };
    case 7:
      return (a, b, c, d, e, f, g) => {
        const value = call(a, b, c, d, e, f, g);
        return value < 0 ? -errno() : value;
      };
    default:
      throw new Error(`a function of ${count} arguments`);
  }
  /* eslint-enable max-params */
}

/**
 * Declares a libc function that returns a `long` and is called on a thread of libuv's pool: for what may wait. Such a thread
 * has the credentials of the process, whatever those of the calling thread are just then.
 *
 * @returns a function whose promise settles with the result, or -errno
 */
export function declareElsewhere<const Arguments extends Types>(
  name: string,
  ...types: Arguments
): (...values: Values<Arguments>) => Promise<number> {
  const call = libc.func(name, 'int64', [...types]);
  return (...values) =>
    new Promise((resolve, reject) => {
      call.async(...values, (error: unknown, value: number) => {
        // koffi keeps the errno of that thread for just this callback
        if (error === null) resolve(value < 0 ? -koffi.errno() : value);
        else reject(new Error(`${name} was not called: ${JSON.stringify(error)}`));
      });
    });
}

/** Memory that libc may use for as long as the process lives: nothing else keeps it from being collected. */
const addressed: Uint8Array[] = [];

/** The address of memory that does not move. It is never given back: for what is made once. */
export function addressOf(bytes: Uint8Array): bigint {
  addressed.push(bytes);
  return koffi.address(bytes);
}

/** Where libc is to write, by its address, and what it wrote, by its bytes. */
export class Destination {
  readonly bytes: Uint8Array;
  readonly address: bigint;

  /** @param bytes memory that does not move */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.address = addressOf(bytes);
  }
}

/** `syscall(2)`. glibc reads all six arguments whatever the call takes, so all of them are always passed. */
export const syscall = declare('syscall', 'int64', 'int64', 'int64', 'int64', 'int64', 'int64', 'int64');
