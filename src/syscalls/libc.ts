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

/** Declares a libc function that returns a `long`. */
export function declare<const Arguments extends Types>(
  name: string,
  ...types: Arguments
): (...values: Values<Arguments>) => number {
  return libc.func(name, 'int64', [...types]);
}

/** Declares a libc function that returns an `int`: only 32 bits of its result register count. */
export function declareInt<const Arguments extends Types>(
  name: string,
  ...types: Arguments
): (...values: Values<Arguments>) => number {
  return libc.func(name, 'int', [...types]);
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
        if (error === null) resolve(result(value));
        else reject(new Error(`${name} was not called: ${JSON.stringify(error)}`));
      });
    });
}

/** Turns libc's "-1 and errno" into a negated errno. To be called directly around the call: errno does not last. */
export function result(value: number): number {
  return value < 0 ? -koffi.errno() : value;
}

/**
 * Declares a libc function that returns an `int`, with three or four arguments, whose "-1 and errno" becomes a negated errno with nothing in between: at
 * the beginning of a function, and so of `result`, V8 may do work of its own that changes errno. For what must not be
 * mistaken, which a connection does not outlive.
 */
export function declareExact<const Arguments extends Types>(
  name: string,
  ...types: Arguments
): (...values: Values<Arguments>) => number {
  const call = libc.func(name, 'int', [...types]);
  const { errno } = koffi;
  const exact =
    types.length === 3
      ? (one: unknown, two: unknown, three: unknown): number => {
          const value = call(one, two, three) as number;
          return value < 0 ? -errno() : value;
        }
      : (one: unknown, two: unknown, three: unknown, four: unknown): number => {
          const value = call(one, two, three, four) as number;
          return value < 0 ? -errno() : value;
        };
  return exact as (...values: Values<Arguments>) => number;
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
